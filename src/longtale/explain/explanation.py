"""Why an item is where it is: all that was found, with ids and titles, ready to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longtale.schema import Band


@dataclass(frozen=True)
class Named:
    """An item as a reader knows it."""

    id: str
    title: str

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {"id": self.id, "title": self.title}


@dataclass(frozen=True)
class Cited:
    """An item of the history that speaks for the explained one.

    Args:
        item: which.
        drop: how much less the reason's part of the score would be without it.
        together: how many users chose both items.
        words: rare words that stand in the texts of both.
    """

    item: Named
    drop: float
    together: int
    words: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            **self.item.as_dict(),
            "drop": _rounded(self.drop),
            "together": self.together,
            "words": list(self.words),
        }


@dataclass(frozen=True)
class Why:
    """One reason.

    Args:
        code: which, see `codes`.
        weight: its share of all that lifts the item above the mean of the candidates, 0 to 1.
        sources: names of the parts of the score that stand for it.
        evidence: items of the history that it rests on, strongest first.
        words: of the asker's words, those that stand in the item's text.
    """

    code: str
    weight: float
    sources: tuple[str, ...]
    evidence: tuple[Cited, ...] = ()
    words: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            "code": self.code,
            "weight": _rounded(self.weight),
            "sources": list(self.sources),
            "evidence": [cited.as_dict() for cited in self.evidence],
            "words": list(self.words),
        }


@dataclass(frozen=True)
class Effect:
    """What would be without one thing.

    Args:
        drop: how much nearer the item would be to the mean of the candidates.
        rank: where it would stand.
        item: of the history, that is left out; None where it is the asker's words.
    """

    drop: float
    rank: int
    item: Named | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        named = {} if self.item is None else self.item.as_dict()
        return {**named, "drop": _rounded(self.drop), "rank": self.rank}


@dataclass(frozen=True)
class Counterfactual:
    """Without these items of the history the explained one would stand here, not in the slate."""

    without: tuple[Named, ...]
    rank: int

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {"without": [item.as_dict() for item in self.without], "rank": self.rank}


@dataclass(frozen=True)
class Explanation:
    """Why an item stands where it stands.

    Args:
        item: which.
        band: how known it is.
        n_events: how often it was chosen.
        rank: its place by score among all that may come, from 1.
        place: its place in the slate; None where it is not in it.
        n: length of the slate.
        n_candidates: how many items may come.
        score: its score; None where no source could say anything of it.
        mean: mean score of the candidates, see `Standing`.
        contributions: by part of the score, what each adds to this item more than to the mean
            candidate; they sum to `score - mean`, with a score of 0 where there is none.
        errors: standard errors of the contributions that were estimated; empty where all are exact.
        weights: by source, how far it was trusted for this item.
        reasons: the main reasons, the weightiest first.
        history: what would be without each of the last items of the history, strongest first.
        n_history: how many different items the history has.
        words: what would be without the asker's words; None where nothing was said.
        counterfactual: None where no set of up to three items is known without which it would drop
            out.
        barred_by: the first thing that keeps the item out; it is explained as if it might come.
    """

    item: Named
    band: Band
    n_events: int
    rank: int
    place: int | None
    n: int
    n_candidates: int
    score: float | None
    mean: float
    contributions: Mapping[str, float]
    errors: Mapping[str, float]
    weights: Mapping[str, float]
    reasons: tuple[Why, ...]
    history: tuple[Effect, ...]
    n_history: int
    words: Effect | None
    counterfactual: Counterfactual | None
    barred_by: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        return {
            "item": self.item.as_dict(),
            "band": self.band.value,
            "n_events": self.n_events,
            "rank": self.rank,
            "place": self.place,
            "n": self.n,
            "n_candidates": self.n_candidates,
            "score": None if self.score is None else _rounded(self.score),
            "mean": _rounded(self.mean),
            "contributions": _all_rounded(self.contributions),
            "errors": _all_rounded(self.errors),
            "weights": _all_rounded(self.weights),
            "reasons": [why.as_dict() for why in self.reasons],
            "history": [effect.as_dict() for effect in self.history],
            "n_history": self.n_history,
            "words": None if self.words is None else self.words.as_dict(),
            "counterfactual": self.counterfactual and self.counterfactual.as_dict(),
            "barred_by": self.barred_by,
        }


def _rounded(value: float) -> float:
    return round(value, 6)


def _all_rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _rounded(value) for name, value in values.items()}
