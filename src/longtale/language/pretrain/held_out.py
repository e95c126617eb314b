"""How well a model does what it learns, on texts that taught it nothing; needs torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from sentence_transformers.util import batch_to_device
from torch import nn
from torch.nn import functional

from longtale.language.pretrain.examples import Example
from longtale.language.pretrain.objectives import Contrastive, Features, MaskedWords, NextSentence
from longtale.language.pretrain.settings import Objective
from longtale.language.training import judging

LOSS = "loss"
"""Name of the measure that says which weights are best; less is better."""


class HeldOut(SentenceEvaluator):  # type: ignore[misc, unused-ignore]
    """Losses of held-out examples, always with the same words hidden and the same wrong pairs.

    Args:
        losses: by objective.
        examples: by objective.
        batch_size: how many are read at once.
        seed: of what is left to chance.
    """

    def __init__(
        self,
        losses: nn.ModuleDict,
        examples: Mapping[Objective, Sequence[Example]],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.primary_metric = LOSS
        self._losses = losses
        self._examples = examples
        self._batch_size = batch_size
        self._seed = seed

    def __call__(self, model: SentenceTransformer, *_: object, **__: object) -> dict[str, float]:
        """Give the mean loss of all objectives, and by objective what there is to tell.

        Returns:
            `loss`; `OBJECTIVE_loss` of each; `OBJECTIVE_accuracy` where there are right answers;
            `masked_words_perplexity`, among how many words it wavers.
        """
        found: dict[str, float] = {}
        with torch.random.fork_rng(), judging(model):
            torch.manual_seed(self._seed)
            for name, examples in self._examples.items():
                loss = self._losses[name]
                # A text is known again by what dropout leaves of it: without, all would be easy.
                model.train(isinstance(loss, Contrastive))
                measures = self._measures(model, loss, examples)
                found |= {f"{name}_{measure}": value for measure, value in measures.items()}
        mean = sum(found[f"{name}_loss"] for name in self._examples) / len(self._examples)
        return {LOSS: mean, **found}

    def _measures(
        self, model: SentenceTransformer, loss: nn.Module, examples: Sequence[Example]
    ) -> dict[str, float]:
        batches = self._batches(model, examples)
        if not isinstance(loss, MaskedWords | NextSentence):
            totals = [float(loss(columns, None)) * n for n, columns in batches]
            return {"loss": sum(totals) / len(examples)}
        total = n_right = n_asked = 0.0
        for _, columns in batches:
            logits, targets = loss.answers(columns)
            total += float(functional.cross_entropy(logits, targets, reduction="sum"))
            n_right += int((logits.argmax(1) == targets).sum())
            n_asked += len(targets)
        mean = total / max(1.0, n_asked)
        told = {"loss": mean, "accuracy": n_right / max(1.0, n_asked)}
        return {**told, "perplexity": math.exp(mean)} if isinstance(loss, MaskedWords) else told

    def _batches(
        self, model: SentenceTransformer, examples: Sequence[Example]
    ) -> Iterator[tuple[int, list[Features]]]:
        for start in range(0, len(examples), self._batch_size):
            batch = examples[start : start + self._batch_size]
            columns = [model.preprocess(list(column)) for column in zip(*batch, strict=True)]
            yield len(batch), [batch_to_device(column, model.device) for column in columns]
