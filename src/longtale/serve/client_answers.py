"""What the service answers, as objects: made of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from longtale.recommend.answer import Answer, AnswerItem, Reason
from longtale.schema import Band


@dataclass(frozen=True)
class Rejected:
    """A row that was not taken, and why.

    Args:
        line: its place among all that was sent, the first is 1.
        pointer: JSON pointer to the part that is wrong.
        code: what is wrong, for programs.
        detail: what is wrong, with the value seen.
        hint: what is allowed.
    """

    line: int
    pointer: str
    code: str
    detail: str
    hint: str


@dataclass(frozen=True)
class Counts:
    """What became of rows: accepted, duplicates and rejected add up to what was sent.

    Args:
        accepted: rows that are kept, safe on disk.
        duplicates: rows that were kept before, under the same id.
        rejected: rows that were not taken.
        errors: one for each of these.
        seq: give it as `min_seq`, and the next answer knows all that was accepted.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: tuple[Rejected, ...] = ()
    seq: int = 0

    @property
    def sent(self) -> int:
        """How many rows these are."""
        return self.accepted + self.duplicates + self.rejected

    def then(self, later: Counts) -> Counts:
        """Give the counts of these rows and of those that were sent after them."""
        moved = tuple(replace(error, line=error.line + self.sent) for error in later.errors)
        return Counts(
            accepted=self.accepted + later.accepted,
            duplicates=self.duplicates + later.duplicates,
            rejected=self.rejected + later.rejected,
            errors=self.errors + moved,
            seq=max(self.seq, later.seq),
        )


@dataclass(frozen=True)
class Ranking:
    """A list of the caller's own, in order.

    Args:
        answer: its known items, the best first.
        missing: ids that the service does not know.
    """

    answer: Answer
    missing: tuple[str, ...]


def answer_of(values: Mapping[str, Any]) -> Answer:
    """Give the slate that `Answer.as_dict` made plain; what was not asked for is empty."""
    return Answer(
        slate_id=values["slate_id"],
        model_version=values["model_version"],
        took_ms=values["took_ms"],
        stages=values["stages"],
        degraded=tuple(values["degraded"]),
        items=tuple(_item_of(item) for item in values["items"]),
        seq=values["seq"],
    )


def ranking_of(values: Mapping[str, Any]) -> Ranking:
    """Give the answer to `rank`."""
    return Ranking(answer_of(values), tuple(values["missing"]))


def counts_of(values: Mapping[str, Any]) -> Counts:
    """Give what became of rows."""
    errors = tuple(
        Rejected(
            line=error["line"],
            pointer=error["pointer"],
            code=error["code"],
            detail=error.get("detail", ""),
            hint=error["hint"],
        )
        for error in values["errors"]
    )
    return Counts(
        values["accepted"], values["duplicates"], values["rejected"], errors, values["seq"]
    )


def _item_of(values: Mapping[str, Any]) -> AnswerItem:
    return AnswerItem(
        id=values["id"],
        rank=values["rank"],
        score=values["score"],
        sources=values["sources"],
        weights=values.get("weights", {}),
        band=Band(values["band"]),
        reasons=tuple(
            Reason(
                reason["code"],
                reason.get("text", ""),
                reason["weight"],
                tuple(reason["evidence"]),
            )
            for reason in values["reasons"]
        ),
        item=values["item"],
        propensity=values.get("propensity", 1.0),
    )
