"""What a model learns from and what it is judged by, cut from texts and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from longtale.errors import DataError
from longtale.language.pretrain.settings import Objective, PretrainSettings
from longtale.seeds import generator

Example = tuple[str, ...]
"""A text, or a pair of texts."""

_LEAST = {
    Objective.MASKED_WORDS: 2,
    Objective.NEXT_SENTENCE: 4,
    Objective.DENOISING: 2,
    Objective.CONTRASTIVE: 4,
}
"""Examples below which there are not enough on both sides of the cut: those that compare examples
need two."""
_MOST_HELD_OUT = 1000  # more would cost time and tell no more


@dataclass(frozen=True)
class Examples:
    """Examples by objective; none of them is on both sides.

    Args:
        train: what teaches.
        held_out: what teaches nothing and judges.
    """

    train: dict[Objective, list[Example]]
    held_out: dict[Objective, list[Example]]

    @classmethod
    def of(
        cls, texts: Sequence[str], pairs: Sequence[tuple[str, str]], settings: PretrainSettings
    ) -> Examples:
        """Leave out what has no words or comes twice, and cut.

        Raises:
            DataError: an objective has too few examples.
        """
        rng = generator(settings.seed, "pre-training, held out")
        singles = cut(_usable([(text,) for text in texts]), settings.held_out, rng)
        doubles = cut(_usable(list(pairs)), settings.held_out, rng)
        train, held_out = {}, {}
        for objective in settings.objectives:
            is_of_pairs = objective is Objective.NEXT_SENTENCE
            train[objective], held_out[objective] = doubles if is_of_pairs else singles
            n_here = len(train[objective]) + len(held_out[objective])
            if n_here < _LEAST[objective]:
                raise DataError(_too_few(objective, n_here, len(pairs if is_of_pairs else texts)))
        return cls(train, held_out)

    @property
    def n_train(self) -> int:
        """How many examples one pass has, all objectives together."""
        return sum(len(examples) for examples in self.train.values())

    @property
    def n_held_out(self) -> int:
        """How many examples judge, all objectives together."""
        return sum(len(examples) for examples in self.held_out.values())


def cut(
    examples: Sequence[Example], share: float, rng: np.random.Generator
) -> tuple[list[Example], list[Example]]:
    """Cut examples into those that teach and those that are held out: a share, two at the least.

    Where there are fewer than four, one is held out.
    """
    n_held_out = min(max(2, round(share * len(examples))), _MOST_HELD_OUT, len(examples) // 2)
    order = rng.permutation(len(examples))
    held_out, train = order[:n_held_out], order[n_held_out:]
    return [examples[k] for k in sorted(train)], [examples[k] for k in sorted(held_out)]


def _usable(examples: Sequence[Example]) -> list[Example]:
    distinct = dict.fromkeys(tuple(" ".join(text.split()) for text in each) for each in examples)
    return [each for each in distinct if all(any(c.isalnum() for c in text) for text in each)]


def _too_few(objective: Objective, n_usable: int, n_given: int) -> str:
    if objective is Objective.NEXT_SENTENCE:
        return (
            f"the objective next_sentence needs at least {_LEAST[objective]} different pairs of "
            f"texts with words, but {n_usable} of {n_given} are; give a title and a description of "
            "each item, or leave the objective out"
        )
    return (
        f"the objective {objective} needs at least {_LEAST[objective]} different texts with words, "
        f"but {n_usable} of {n_given} are; give the catalogue's text fields a role"
    )
