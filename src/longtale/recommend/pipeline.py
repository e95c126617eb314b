"""The recommender: everything that is needed to answer, without torch, in one frozen object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from longtale.blend.hybrid import Hybrid
from longtale.contracts import Citing, Forgetting
from longtale.data.arrivals import Arrivals
from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.event import DEFAULT_KINDS, EventKind
from longtale.data.forgetting import without_user
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.splits.bands import bands
from longtale.errors import QueryError
from longtale.rank.evidence import ItemEvidence
from longtale.rank.ranker import Ranker
from longtale.recommend.answer import Answer
from longtale.recommend.dials import AT_REST, Dials
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.present import Presenter, Stages
from longtale.recommend.renewal import (
    new_items,
    read_arrivals,
    with_arrivals,
    with_catalog,
    with_changes,
)
from longtale.recommend.scoring import Scoring
from longtale.recommend.screen import Screen
from longtale.recommend.searching import Asked, Found, Searching
from longtale.recommend.settings import SlateSettings
from longtale.recommend.slating import Slating
from longtale.search.index import KeptIndex

ITEM_TO_ITEM = ("item_knn", "ease", "als", "semantic")
"""Sources that can say which items go with one item."""


@dataclass(frozen=True, eq=False)
class Recommender:
    """A trained recommender.

    Args:
        dataset: users, catalogue and histories that it knows.
        item_vectors: the items' meaning.
        hybrid: fitted retrievers and their blend.
        version: name of this trained state.
        slate_settings: how slates are made of scores.
        ranker: learned order over the best of all retrievers; None where none was tried.
        log_seq: number of the last record of the service's log that its training data hold.
        search_index: what searches read of the catalogue, made when the first of them comes.

    Example:
        >>> recommender = longtale.load("bundle")  # doctest: +SKIP
        >>> recommender.recommend("42", n=5).items[0].id  # doctest: +SKIP
        '318'
    """

    dataset: Dataset
    item_vectors: ItemVectors
    hybrid: Hybrid
    version: str
    slate_settings: SlateSettings
    ranker: Ranker | None = None
    log_seq: int = 0
    search_index: KeptIndex = field(default_factory=KeptIndex, repr=False)

    def recommend(
        self,
        user: str | None = None,
        *,
        history: Sequence[str] = (),
        text: str = "",
        n: int = 10,
        filter: str = "",
        exclude: Sequence[str] = (),
        at: datetime | None = None,
        dials: Dials = AT_REST,
    ) -> Answer:
        """Give a slate for a known user, a session, someone who says what they want, or anybody.

        Args:
            user: id of a known user; None is anonymous.
            history: ids of items just touched, oldest first; they follow the user's own.
            text: what the user wants in their own words, such as `quiet crime, no gore`; where
                there is neither text nor history, what they wrote about themselves is taken.
            n: length of the slate; where fewer items are allowed, all of these come.
            filter: condition on item attributes, such as `year >= 1990 and genres has 'Drama'`.
            exclude: ids of further items that must not come; what the user has seen never comes.
            at: when it is asked, for availability; None is now.
            dials: diversity, long tail, limits and exploration of this slate.

        Raises:
            UnknownIdError: no such user or item.
            FilterError: the filter cannot be parsed or applied.
            QueryError: n is not positive, or a limit names a column whose values nobody shares.
        """
        stages = Stages()
        queries = self._query(user, history, text)
        screen = Screen.of(self.catalog, condition=filter, exclude=exclude, at=at).without_seen(
            self.dataset, queries
        )
        stages.mark("query")
        slate = self.scoring.slate(queries, _checked(n), exclude=screen.excluded, dials=dials)
        stages.mark("score")
        return self.presenter.answer(queries, slate, stages)

    def similar(
        self,
        item: str,
        *,
        n: int = 10,
        filter: str = "",
        at: datetime | None = None,
    ) -> Answer:
        """Give the items that go with one item, by meaning and by what people chose together.

        Raises:
            UnknownIdError: no such item.
            FilterError: the filter cannot be parsed or applied.
        """
        stages = Stages()
        queries = self._query(None, [item], "")
        screen = Screen.of(self.catalog, condition=filter, exclude=[item], at=at)
        stages.mark("query")
        alike = self.scoring.trusting(ITEM_TO_ITEM)
        slate = alike.slate(queries, _checked(n), exclude=screen.excluded)
        stages.mark("score")
        return self.presenter.answer(queries, slate, stages)

    def search(
        self,
        text: str,
        *,
        user: str | None = None,
        personal: float = 0.3,
        n: int = 10,
        filter: str = "",
        at: datetime | None = None,
        correct: bool = True,
    ) -> Found:
        """Give the items that suit the words, and among these rather those that suit the user.

        Args:
            text: what is looked for.
            user: id of a known user; None is anonymous.
            personal: how much the user's taste weighs beside the words, 0 to 1.
            n: number of hits.
            filter: condition on item attributes.
            at: when it is asked, for availability; None is now.
            correct: replace words that no item has by likely ones; the answer says which.

        Raises:
            QueryError: the text is blank, `personal` is not between 0 and 1, or the items have no
                words.
            UnknownIdError: no such user.
            FilterError: the filter cannot be parsed or applied.
        """
        asked = Asked(text, personal, correct)
        users = None if user is None else self._query(user, (), "")
        excluded = Screen.of(self.catalog, condition=filter, at=at).excluded
        return self.searching.answer(
            self.presenter, asked, _checked(n), exclude=excluded, users=users
        )

    def with_items(self, frame: pl.DataFrame, *, ids: str = "item_id") -> Recommender:
        """Add new items: at once they can be found by their words, without any training.

        Args:
            frame: one row per new item; columns named as in the catalogue.
            ids: the column that holds the new ids.

        Raises:
            DataError: an id is there already, or there is no such column.
        """
        catalog = new_items(self.catalog, frame, ids)
        dataset, item_vectors, hybrid = with_catalog(
            self.dataset, self.item_vectors, self.hybrid, catalog
        )
        return replace(self, dataset=dataset, item_vectors=item_vectors, hybrid=hybrid)

    def with_changes(self, frame: pl.DataFrame, *, ids: str = "item_id") -> Recommender:
        """Let items be described anew: filters, search and meaning go by it at once.

        What was learned of an item's words together with behaviour stays until the next training.

        Args:
            frame: one row per item that is there already; columns as in the catalogue, all of them.
            ids: the column that holds the ids.

        Raises:
            DataError: there is no such column.
            UnknownIdError: an item is not in the catalogue.
        """
        dataset, item_vectors, hybrid = with_changes(
            self.dataset, self.item_vectors, self.hybrid, frame, ids
        )
        return replace(self, dataset=dataset, item_vectors=item_vectors, hybrid=hybrid)

    def with_events(
        self,
        users: Sequence[str],
        items: Sequence[str],
        *,
        kinds: Sequence[str] | None = None,
        times: Sequence[datetime] | None = None,
        known_kinds: Sequence[EventKind] = DEFAULT_KINDS,
    ) -> Recommender:
        """Learn from what just happened: the next answer knows it, without any training.

        Args:
            users: ids, one for each of n events; who is not known yet becomes known.
            items: ids of the items they chose.
            kinds: what they did; None is the data's first kind.
            times: when; None is now. Passed over where the data have only an order.
            known_kinds: how much interest each kind shows.

        Raises:
            UnknownIdError: an item is not in the catalogue.
            DataError: a kind is not one of the data's.
        """
        return self.having_learned(
            read_arrivals(self.dataset, users, items, kinds, times, known_kinds)
        )

    def having_learned(self, events: Arrivals) -> Recommender:
        """Learn from events in rows; see `with_events`."""
        dataset, hybrid = with_arrivals(self.dataset, self.hybrid, events)
        return replace(self, dataset=dataset, hybrid=hybrid)

    def without_user(self, row: int) -> Recommender:
        """Forget a user: what they did answers nobody any more, and their id is gone.

        What models learned from all users together stays until the next training.
        """
        dataset = without_user(self.dataset, row)
        retrievers = tuple(
            r.without_user(row) if isinstance(r, Forgetting) else r for r in self.hybrid.retrievers
        )
        return replace(self, dataset=dataset, hybrid=replace(self.hybrid, retrievers=retrievers))

    @property
    def catalog(self) -> Catalog:
        """The items that can be recommended."""
        return self.dataset.catalog

    @cached_property
    def presenter(self) -> Presenter:
        """What turns slates of rows into answers."""
        known = bands(self.dataset)
        citing = {r.name: r for r in self.hybrid.retrievers if isinstance(r, Citing)}
        return Presenter(self.catalog, known, citing, self.version)

    @cached_property
    def scoring(self) -> Scoring:
        """What makes slates of requests in rows."""
        return Scoring.of(self.hybrid, self._slating)

    @cached_property
    def searching(self) -> Searching:
        """What answers searches; made when the first of them comes."""
        vectors, kept = self.item_vectors, self.search_index
        index = kept.of(self.catalog, vectors.vectors, vectors.whitening.projection)
        return Searching(index, vectors, self.hybrid, self.scoring.slate, kept.settings)

    @cached_property
    def _slating(self) -> Slating:
        evidence = ItemEvidence.of(self.dataset, self.item_vectors.vectors)
        return Slating(self.slate_settings, evidence, self.ranker)

    def _query(self, user: str | None, history: Sequence[str], text: str) -> Queries:
        user_row = -1 if user is None else self.dataset.users.row(user)
        rows = [self.dataset.items.row(item) for item in history]
        own = self.dataset.histories(np.array([user_row]))
        if rows:
            own = own.followed_by(Histories.of([rows]))
        if not text.strip() and not own.lengths[0]:
            text = self.dataset.words_of(user_row)
        vectors = self.item_vectors.of_words([text]) if text.strip() else None
        return Queries(np.array([user_row], dtype=np.int32), own, vectors)


def _checked(n: int) -> int:
    if n < 1:
        raise QueryError(f"n is {n}; a slate has at least 1 item")
    return n
