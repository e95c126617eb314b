"""What was asked, in rows, with each reason for exclusion by itself, to be asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from longtale.arrays import Floats, Mask, microseconds
from longtale.blend.hybrid import Hybrid
from longtale.data.candidates import Slate
from longtale.data.catalog import Catalog
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.explain.why_not import Change
from longtale.recommend.dials import AT_REST, Dials
from longtale.recommend.pipeline import Recommender
from longtale.recommend.scoring import Scoring
from longtale.recommend.screen import met, ruled_out
from longtale.schema import Column

_AT_ONCE = 30_000_000
"""Scores that are held at once: bounds an array of them to 120 MB."""


@dataclass(frozen=True, eq=False)
class Question:
    """One request for a slate.

    Args:
        queries: a batch of one.
        barred: by name, what each reason for exclusion bars, bool (N,), in the order of its stages;
            the condition's own is `filter`, what was met is `seen`.
        n: length of the slate.
        dials: what is turned; what is left to chance is left out of explanations.
        nudges: by name, what else is added to each score, float32 (1, N).
        text: what is wanted, in words.
        filter: the condition on attributes.
    """

    queries: Queries
    barred: Mapping[str, Mask]
    n: int = 10
    dials: Dials = AT_REST
    nudges: Mapping[str, Floats] = field(default_factory=dict)
    text: str = ""
    filter: str = ""

    @classmethod
    def of(
        cls,
        recommender: Recommender,
        user: str | None = None,
        *,
        history: Sequence[str] = (),
        text: str = "",
        n: int = 10,
        filter: str = "",
        exclude: Sequence[str] = (),
        at: datetime | None = None,
        dials: Dials = AT_REST,
    ) -> Question:
        """Ask as `Recommender.recommend` is asked.

        Raises:
            UnknownIdError: no such user or item.
            FilterError: the filter cannot be parsed or applied.
        """
        catalog, dataset = recommender.catalog, recommender.dataset
        queries = recommender._query(user, history, text)
        if queries.text_vectors is not None and not text.strip():
            text = dataset.words_of(int(queries.user_rows[0]))
        excluded = np.zeros(len(catalog), dtype=np.bool_)
        for item in exclude:
            excluded[catalog.items.row(item)] = True
        hidden, gone = withheld(catalog, datetime.now(UTC) if at is None else at)
        barred = {
            "hidden": hidden,
            "not_available": gone,
            "excluded": excluded,
            "seen": met(dataset, queries)[0],
            "filter": ruled_out(catalog, filter),
        }
        return cls(queries, barred, n, dials, {}, text, filter)

    @property
    def excluded(self) -> Mask:
        """Items that must not come, bool (1, N)."""
        return np.logical_or.reduce(list(self.barred.values()))[None]

    def of_item(self, row: int) -> Question:
        """Ask as if an item had not been met yet: what its own events say of it is no reason."""
        histories = self.queries.histories
        others = histories.where(histories.items != row)
        return replace(self, queries=replace(self.queries, histories=others))

    def letting(self, row: int, stages: Sequence[str] | None = None) -> Question:
        """Let one item through some stages, or through all of them."""
        lifted = self.barred if stages is None else stages
        barred = {
            name: mask & (np.arange(len(mask)) != row) if name in lifted else mask
            for name, mask in self.barred.items()
        }
        return replace(self, barred=barred)

    def changed(self, recommender: Recommender, change: Change, row: int) -> Question:
        """Ask otherwise; what is lifted lets one item through."""
        asked = self.letting(row, change.lift)
        barred, dials, queries = dict(asked.barred), asked.dials, asked.queries
        n = self.n if change.n is None else change.n
        if change.filter is not None:
            barred["filter"] = ruled_out(recommender.catalog, change.filter)
        if change.at_rest:
            dials = replace(dials, **{name: getattr(AT_REST, name) for name in change.at_rest})
        if change.long_tail is not None:
            dials = replace(dials, long_tail=change.long_tail)
        if change.touch:
            touched = [recommender.catalog.items.row(item.id) for item in change.touch]
            histories = queries.histories.followed_by(Histories.of([touched]))
            queries = replace(queries, histories=histories)
            barred["seen"] = barred["seen"] | np.isin(np.arange(len(recommender.catalog)), touched)
        if change.say is not None:
            said = f"{self.text}, {change.say}" if self.text.strip() else change.say
            queries = replace(queries, text_vectors=recommender.item_vectors.of_words([said]))
        return replace(asked, queries=queries, barred=barred, dials=dials, n=n)


def slates(
    scoring: Scoring, question: Question, queries: Queries, *, k: int | None = None
) -> list[Slate]:
    """Answer B requests under the conditions of a question, some at a time.

    Args:
        scoring: answers.
        question: says what may not come, what is turned and what else is added.
        queries: B requests.
        k: length of the slates as they would be shown; None gives all items by their scores.
    """
    n_items = question.excluded.shape[1]
    dials = replace(question.dials, explore=0.0)
    if k is None:
        dials = Dials(long_tail=dials.long_tail)
    size = at_once(scoring.hybrid, n_items)
    found = []
    for start in range(0, len(queries), size):
        part = queries.take(np.arange(start, min(start + size, len(queries))))
        shape = (len(part), n_items)
        found.append(
            scoring.slate(
                part,
                n_items if k is None else k,
                exclude=np.broadcast_to(question.excluded, shape),
                dials=dials,
                nudges={name: np.broadcast_to(v, shape) for name, v in question.nudges.items()},
            )
        )
    return found


def at_once(hybrid: Hybrid, n_items: int) -> int:
    """Give how many requests are answered in one go."""
    return max(1, _AT_ONCE // (n_items * len(hybrid.sources)))


def withheld(catalog: Catalog, at: datetime) -> tuple[Mask, Mask]:
    """Say which items are hidden, and which others cannot be had at a time, bool (N,) each."""
    hidden = np.zeros(len(catalog), dtype=np.bool_)
    if Column.HIDDEN in catalog.frame.columns:
        hidden = catalog.frame[Column.HIDDEN].fill_null(value=False).to_numpy()
    return hidden, ~catalog.available(microseconds(at)) & ~hidden
