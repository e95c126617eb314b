"""The slate as the outside sees it: ids, sources, bands and a reason for each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longtale.schema import Band

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Reason:
    """Why an item is in the slate: a code to act on, what speaks for it, and a sentence."""

    code: str
    text: str
    weight: float
    """Share of the score that this reason stands for, 0 to 1."""
    evidence: tuple[str, ...] = ()
    """Ids of the items it rests on."""


@dataclass(frozen=True)
class AnswerItem:
    """One place of the slate."""

    id: str
    rank: int
    score: float | None
    """None where no source could say: the item only fills the list."""
    sources: Mapping[str, float]
    """What each part added to the item's own score."""
    weights: Mapping[str, float]
    """How far the gate trusted each retriever for this item."""
    band: Band
    reasons: tuple[Reason, ...]
    item: Mapping[str, Json] = field(repr=False)
    """The item's own attributes."""
    propensity: float = 1.0
    """Probability that it stood at this place; 1 where nothing was left to chance."""


@dataclass(frozen=True)
class Answer:
    """A slate with all that is needed to show it, to log it and to ask about it later."""

    slate_id: str
    model_version: str
    took_ms: float
    stages: Mapping[str, float]
    """Milliseconds that each stage took."""
    degraded: tuple[str, ...]
    """Parts that failed and were stood in for; empty when all is well."""
    items: tuple[AnswerItem, ...]
    seq: int = 0
    """Number of the last event that was known; 0 where events are not logged."""

    def as_dict(self) -> dict[str, Json]:
        """Give the slate as plain values, ready for JSON."""
        return {
            "slate_id": self.slate_id,
            "model_version": self.model_version,
            "seq": self.seq,
            "took_ms": round(self.took_ms, 3),
            "stages": {name: round(ms, 3) for name, ms in self.stages.items()},
            "degraded": list(self.degraded),
            "items": [_item_as_dict(item) for item in self.items],
        }


def _item_as_dict(item: AnswerItem) -> Json:
    return {
        "id": item.id,
        "score": None if item.score is None else round(item.score, 6),
        "rank": item.rank,
        "sources": {name: round(share, 6) for name, share in item.sources.items()},
        "weights": {name: round(weight, 6) for name, weight in item.weights.items()},
        "propensity": round(item.propensity, 6),
        "band": item.band.value,
        "reasons": [
            {
                "code": reason.code,
                "evidence": list(reason.evidence),
                "weight": round(reason.weight, 4),
                "text": reason.text,
            }
            for reason in item.reasons
        ],
        "item": dict(item.item),
    }
