"""The laws of every retriever: inherit `RetrieverLaws`, say how yours is made, and that is all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.arrays import Floats
from longtale.contracts import Narrowing, Retriever
from longtale.data.candidates import Candidates
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.synthetic import checkerboard, generated
from longtale.schema import Serves
from longtale.seeds import generator
from longtale.settings import Settings

N_USERS, N_ITEMS = 60, 40


def world(seed: int) -> Dataset:
    """Give a small world whose events differ in time and in the interest they show."""
    rng = generator(seed, "laws")
    dataset = generated(rng, N_USERS, N_ITEMS, 500)
    events = dataset.interactions
    weights = rng.integers(1, 4, size=len(events)).astype(np.float32)
    histories = replace(events.histories, weights=weights)
    return replace(dataset, interactions=replace(events, histories=histories))


def with_a_cold_item(dataset: Dataset) -> tuple[Dataset, int]:
    """Take all events of one item away; give the dataset and the item's row."""
    cold = int(np.argsort(dataset.item_counts, kind="stable")[dataset.n_items // 2])
    return dataset.with_interactions(dataset.interactions.items != cold), cold


class RetrieverLaws:
    """Inherit, set `settings` and `other_settings`, and define `fit`.

    settings: an instance that suits toy worlds.
    other_settings: settings of which each field must change some score.
    learns_items: whether an item without events gets NaN.
    learns_colours: whether it can tell the colours of the checkerboard apart.
    """

    settings: Settings
    other_settings: Settings
    learns_items = True
    learns_colours = True

    @classmethod
    def fit(cls, dataset: Dataset, settings: Settings) -> Retriever:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset:
        return world(0)

    @pytest.fixture(scope="class")
    @classmethod
    def retriever(cls, dataset: Dataset) -> Retriever:
        return cls.fit(dataset, cls.settings)

    @pytest.fixture(scope="class")
    @classmethod
    def queries(cls, dataset: Dataset) -> Queries:
        users = np.arange(-1, 9, dtype=np.int32)  # -1 has no history
        return Queries(users, dataset.histories(users))

    def test_scores_are_float32_for_each_query_and_item(self, retriever, queries):
        scores = retriever.scores(queries)
        assert scores.dtype == np.float32
        assert scores.shape == (len(queries), N_ITEMS)

    def test_batch_equals_singles(self, retriever, queries):
        singles = [retriever.scores(queries.take(np.array([b]))) for b in range(len(queries))]
        np.testing.assert_allclose(
            retriever.scores(queries), np.concatenate(singles), rtol=1e-4, atol=1e-5
        )

    def test_no_query_gives_no_row(self, retriever, queries):
        nobody = queries.take(np.array([], dtype=np.int64))
        assert retriever.scores(nobody).shape == (0, N_ITEMS)

    def test_same_seed_gives_same_scores(self, retriever, queries, dataset):
        again = self.fit(dataset, self.settings)
        np.testing.assert_array_equal(again.scores(queries), retriever.scores(queries))

    def test_restored_answers_bit_equal(self, retriever, queries):
        restored = type(retriever).restore(retriever.settings, retriever.state())
        assert restored.settings == retriever.settings
        np.testing.assert_array_equal(restored.scores(queries), retriever.scores(queries))

    def test_state_is_contiguous_arrays_that_a_bundle_can_hold(self, retriever):
        for name, array in retriever.state().items():
            assert isinstance(array, np.ndarray), name
            assert array.flags.c_contiguous, name
            assert array.dtype.kind in "fiub", name

    def test_answering_leaves_the_model_as_it_was(self, retriever, queries):
        before = {name: array.copy() for name, array in retriever.state().items()}
        retriever.scores(queries)[:] = 0
        for name, array in retriever.state().items():
            np.testing.assert_array_equal(array, before[name])

    def test_item_without_events_gets_nan_where_the_model_learns_from_events(self, queries):
        dataset, cold = with_a_cold_item(world(1))
        scores = self.fit(dataset, self.settings).scores(queries)
        assert np.isnan(scores[:, cold]).all() == self.learns_items

    def test_empty_history_is_answered_as_the_model_serves(self, retriever, queries):
        empty = retriever.scores(queries.take(np.flatnonzero(queries.histories.lengths == 0)))
        assert len(empty)
        if retriever.serves is Serves.ANYONE:
            assert not np.isnan(empty).all(axis=1).any()
        else:
            assert np.isnan(empty).all()

    def test_who_has_a_history_is_answered(self, retriever, queries):
        asked = queries.take(np.flatnonzero(queries.histories.lengths > 0))
        assert not np.isnan(retriever.scores(asked)).all(axis=1).any()

    def test_items_newer_than_the_model_are_passed_over(self, retriever):
        known = retriever.scores(Queries.of([[1, 2]]))
        np.testing.assert_array_equal(retriever.scores(Queries.of([[1, N_ITEMS + 5, 2]])), known)

    def test_scores_of_some_items_are_those_among_all(self, retriever, queries):
        if not isinstance(retriever, Narrowing):
            pytest.skip("scores all items or none")
        items = np.array([7, 2, 11], dtype=np.int32)
        assert retriever.n_items == N_ITEMS
        some = retriever.scores_at(queries, items)
        np.testing.assert_allclose(some, retriever.scores(queries)[:, items], rtol=1e-4, atol=1e-5)

    def test_excluded_items_never_return(self, retriever, queries):
        exclude = generator(2, "laws").random((len(queries), N_ITEMS)) < 0.7
        found = Candidates.best(retriever.scores(queries), N_ITEMS, exclude=exclude).items
        rows, places = np.nonzero(found >= 0)
        assert len(rows)
        assert not exclude[rows, found[rows, places]].any()

    def test_each_setting_changes_something(self, retriever, queries, dataset):
        usual = self.asked(retriever, queries)
        for name, value in self.other_settings:
            assert value != getattr(self.settings, name), f"give {name} another value"
            changed = self.settings.model_copy(update={name: value})
            other = self.asked(self.fit(dataset, changed), queries)
            assert not np.array_equal(usual, other, equal_nan=True), name

    def asked(self, retriever: Retriever, queries: Queries) -> Floats:
        """Give the scores in which a changed setting must show."""
        return retriever.scores(queries)

    def test_even_users_get_even_items(self):
        if not self.learns_colours:
            pytest.skip("gives everybody the same answer")
        board = checkerboard(24, 12)
        users = np.arange(24, dtype=np.int32)
        histories = board.histories(users)
        scores = self.fit(board, self.settings).scores(Queries(users, histories))
        met = histories.matrix(12).toarray() > 0
        best = Candidates.best(scores, 1, exclude=met).items[:, 0]
        own = [np.arange(user % 2, 12, 2) for user in users]
        missed = [
            np.setdiff1d(items, np.flatnonzero(m))[0] for items, m in zip(own, met, strict=True)
        ]
        np.testing.assert_array_equal(best, missed)

    def test_history_in_the_request_answers_not_the_user(self, retriever):
        anonymous = Queries.of([[1, 2], [3]])
        known = Queries(np.array([5, 6], dtype=np.int32), anonymous.histories)
        np.testing.assert_array_equal(retriever.scores(known), retriever.scores(anonymous))


class CitingLaws(RetrieverLaws):
    """Inherit in place of `RetrieverLaws` where the retriever can say what its scores rest on."""

    HISTORY, ITEMS = np.array([3, 1, 3], dtype=np.int32), np.array([2, 3, 7, 1], dtype=np.int32)

    def test_evidence_is_a_finite_number_for_each_pair(self, retriever):
        evidence = retriever.evidence(self.HISTORY, self.ITEMS)
        assert evidence.dtype == np.float32
        assert evidence.shape == (len(self.HISTORY), len(self.ITEMS))
        assert np.isfinite(evidence).all()
        assert evidence.any()

    def test_evidence_of_a_pair_does_not_depend_on_the_others(self, retriever):
        together = retriever.evidence(self.HISTORY, self.ITEMS)
        for t, k in np.ndindex(together.shape):
            alone = retriever.evidence(self.HISTORY[[t]], self.ITEMS[[k]])
            np.testing.assert_allclose(alone, together[t : t + 1, k : k + 1], atol=1e-6)

    def test_nothing_speaks_where_there_is_no_history(self, retriever):
        nothing = np.array([], dtype=np.int32)
        assert retriever.evidence(nothing, self.ITEMS).shape == (0, len(self.ITEMS))
