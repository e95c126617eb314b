"""What happens to texts outside: typing errors, cuts, other wordings, words put in for attention.

Every perturbation takes texts and dice, and gives as many texts. A text is never emptied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from longtale.errors import DataError

Perturbation = Callable[[Sequence[str], np.random.Generator], list[str]]
"""Gives N texts for N texts."""
Paraphrase = Callable[[Sequence[str]], list[str]]
"""Says N texts in other words, such as a language model asked to do so."""

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LEAST_LETTERS = 4
"""Shorter words are left as they are: one wrong letter makes another word of them."""
_WORD = re.compile(rf"[^\W\d_]{{{_LEAST_LETTERS},}}")
_FIELD_END = re.compile(r"(?<=[.?!…])\s+")


def _beside() -> dict[str, str]:
    """Give the keys that touch each key: those at its sides, and below and above it."""
    places = {
        sign: (row, at) for row, signs in enumerate(_KEYBOARD) for at, sign in enumerate(signs)
    }
    return {
        sign: "".join(
            other
            for other, (its_row, its_at) in places.items()
            if (its_row == row and abs(its_at - at) == 1)
            or (abs(its_row - row) == 1 and its_at - at in (0, row - its_row))
        )
        for sign, (row, at) in places.items()
    }


_NEIGHBOURS = _beside()


def typos(texts: Sequence[str], rng: np.random.Generator, *, rate: float = 0.15) -> list[str]:
    """Give texts with typing errors: a neighbouring key, two letters swapped, one left out.

    Args:
        texts: N texts.
        rng: which words are hit, where and how.
        rate: share of the words of four letters or more that get one error.

    Example:
        >>> typos(["stainless steel"], np.random.default_rng(1), rate=1.0)
        ['stainlwss setel']
    """

    def mistyped(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= rate:
            return word
        at = int(rng.integers(1, len(word) - 1))  # the first letter is rarely wrong
        how = rng.integers(3)
        if how == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if how == 1:
            return word[:at] + word[at + 1 :]
        beside = _NEIGHBOURS.get(word[at].lower(), "")
        return word[:at] + (beside[rng.integers(len(beside))] if beside else "") + word[at + 1 :]

    return [_WORD.sub(mistyped, text) for text in texts]


def truncated(texts: Sequence[str], rng: np.random.Generator, *, least: float = 0.1) -> list[str]:
    """Give the first words of each text, a share drawn between the least and half of them.

    Example:
        >>> truncated(["one two three four"], np.random.default_rng(0), least=0.5)
        ['one two']
    """
    shares = rng.uniform(least, max(least, 0.5), size=len(texts))
    parts = [text.split() for text in texts]
    return [
        " ".join(words[: max(1, round(float(share) * len(words)))])
        for words, share in zip(parts, shares, strict=True)
    ]


def reworded(
    texts: Sequence[str],
    rng: np.random.Generator,
    *,
    paraphrase: Paraphrase | None = None,
    drop: float = 0.15,
) -> list[str]:
    """Give texts that say the same otherwise.

    Without a function that can, the fields of a text (what stands between full stops) change
    places and some words go: what a rewording does to order and choice of words, without new ones.

    Args:
        texts: N texts.
        rng: the new order, and which words go; the function that is given draws its own dice.
        paraphrase: says texts in other words.
        drop: share of the words that go where there is no such function.

    Raises:
        DataError: the function gave another number of texts.
    """
    if paraphrase is not None:
        said = list(paraphrase(texts))
        if len(said) != len(texts):
            raise DataError(
                f"the paraphrase gave {len(said)} texts for {len(texts)}; it must give one for each"
            )
        return said
    return [_shuffled(text, rng, drop) for text in texts]


def injected(
    texts: Sequence[str], rng: np.random.Generator, *, phrases: Sequence[str]
) -> list[str]:
    """Give texts with a foreign phrase behind their first field: words put in for attention.

    A seller who names a popular item in the text of another hopes to be found with it (shilling;
    for text-based recommenders Zhang et al. 2024, arXiv:2402.14836).

    Args:
        texts: N texts.
        rng: which phrase each gets.
        phrases: such as the titles of popular items.

    Raises:
        DataError: there is no phrase to put in.
    """
    if not phrases:
        raise DataError("no phrases to put in; give at least one, such as a popular item's title")
    drawn = rng.integers(len(phrases), size=len(texts))
    mixed = []
    for text, number in zip(texts, drawn, strict=True):
        first, *others = _FIELD_END.split(text, maxsplit=1)
        end = "" if not first or first.endswith((".", "?", "!", "…")) else "."
        mixed.append(" ".join([first + end, f"{phrases[number].rstrip('.')}.", *others]).strip())
    return mixed


def usual_perturbations(
    phrases: Sequence[str], *, paraphrase: Paraphrase | None = None
) -> dict[str, Perturbation]:
    """Give the set by which robustness is measured, by name.

    Args:
        phrases: what is injected, such as the titles of popular items.
        paraphrase: says texts in other words; None reorders and drops words.
    """
    return {
        "typos": typos,
        "truncation": truncated,
        "paraphrase": partial(reworded, paraphrase=paraphrase),
        "injection": partial(injected, phrases=phrases),
    }


def beginnings(texts: Sequence[str]) -> list[str]:
    """Give the first field of each text, such as a title: what may be put into other texts.

    Example:
        >>> beginnings(["Heat. Crime, drama. A thief and a detective"])
        ['Heat.']
    """
    return [_FIELD_END.split(text, maxsplit=1)[0] for text in texts]


def spoilt(
    texts: Sequence[str],
    rng: np.random.Generator,
    *,
    share: float,
    perturbations: Mapping[str, Perturbation],
) -> list[str]:
    """Give texts of which a share was spoilt, each by one of the perturbations: to train on.

    Args:
        texts: N texts.
        rng: which ones, and how.
        share: part of them that is spoilt, from 0 to 1.
        perturbations: what may happen, each as likely.
    """
    mixed = list(texts)
    fates = rng.integers(len(perturbations), size=len(texts))
    fates[rng.random(len(texts)) >= share] = -1
    for number, perturb in enumerate(perturbations.values()):
        rows = np.flatnonzero(fates == number).tolist()
        for row, text in zip(rows, perturb([texts[row] for row in rows], rng), strict=True):
            mixed[row] = text
    return mixed


def _shuffled(text: str, rng: np.random.Generator, drop: float) -> str:
    fields = [field.rstrip(".") for field in _FIELD_END.split(text)]
    ordered = [fields[at] for at in rng.permutation(len(fields))]
    words = ". ".join(ordered).split()
    kept = [word for word in words if rng.random() >= drop]
    return " ".join(kept if kept else words)
