"""The laws of what learns from new events without being fitted again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.contracts.retriever import N_ITEMS, world

from longtale.arrays import DAY, Floats
from longtale.contracts import Retriever
from longtale.data.arrivals import Arrivals, appended
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.seeds import generator
from longtale.settings import Settings


def batches_after(dataset: Dataset) -> list[Arrivals]:
    """Give three batches: some of known users, some of newcomers, a late and a disliked event."""
    rng = generator(3, "arrivals")
    first = int(dataset.interactions.times.max())
    found = []
    for place in range(3):
        newcomers = (f"new{place}",)
        n_users = dataset.n_users + place
        users = np.append(rng.integers(n_users, size=9), [n_users] * 3)
        times = first + place * DAY + rng.integers(-DAY, DAY, size=len(users))
        events = Arrivals.of(
            users.tolist(),
            rng.integers(N_ITEMS, size=len(users)).tolist(),
            times=times.tolist(),
            newcomers=newcomers,
        )
        weights = rng.integers(1, 4, size=len(users)).astype(np.float32)
        weights[4] = -1
        found.append(replace(events, weights=weights))
    return found


class UpdatableLaws:
    """Inherit, set `settings` and how near an update comes to a fit, and define `fit`.

    settings: an instance that suits toy worlds.
    rtol, atol: by which scores may differ from those of a fit on old and new.
    agreement: least correlation of the scores of each query with those of the fit.
    remains: share of the distance from the fit that may remain.
    """

    settings: Settings
    rtol = 1e-5
    atol = 1e-6
    agreement = 0.999
    remains = 0.5

    @classmethod
    def fit(cls, dataset: Dataset, settings: Settings) -> Retriever:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset:
        """Give a world in which one item was never touched."""
        dataset = world(0)
        return dataset.with_interactions(dataset.interactions.items != 7)

    @pytest.fixture(scope="class")
    @classmethod
    def old(cls, dataset: Dataset) -> Retriever:
        return cls.fit(dataset, cls.settings)

    @pytest.fixture(scope="class")
    @classmethod
    def later(cls, dataset: Dataset, old: Retriever) -> tuple[Dataset, Retriever]:
        """Give the dataset with all three batches, and the model that learned one by one."""
        model = old
        for events in batches_after(dataset):
            dataset = appended(dataset, events)
            model = model.updated(dataset, events)
        return dataset, model

    @pytest.fixture(scope="class")
    @classmethod
    def queries(cls, later: tuple[Dataset, Retriever]) -> Queries:
        users = np.append(np.arange(-1, 20), [60, 61, 62]).astype(np.int32)
        return Queries(users, later[0].histories(users))

    def test_updating_equals_fitting_on_old_and_new(self, later, queries):
        dataset, model = later
        fitted = self.fit(dataset, self.settings).scores(queries)
        found = model.scores(queries)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(fitted))
        np.testing.assert_allclose(found, fitted, rtol=self.rtol, atol=self.atol)
        assert self.nearness(found, fitted) >= self.agreement

    def test_updating_changes_something(self, old, later, queries):
        assert not np.array_equal(old.scores(queries), later[1].scores(queries), equal_nan=True)

    def test_updating_comes_nearer_to_a_fit_than_doing_nothing(self, old, later, queries):
        fitted = self.fit(later[0], self.settings).scores(queries)
        asked = ~np.isnan(old.scores(queries)) & ~np.isnan(fitted)
        missed = [
            np.abs(model.scores(queries)[asked] - fitted[asked]).mean() for model in (later[1], old)
        ]
        assert missed[0] < self.remains * missed[1]

    def test_the_old_object_is_untouched(self, dataset, old, queries):
        before = {name: array.copy() for name, array in old.state().items()}
        scores = old.scores(queries)
        (events, *_) = batches_after(dataset)
        old.updated(appended(dataset, events), events)
        for name, array in old.state().items():
            np.testing.assert_array_equal(array, before[name])
        np.testing.assert_array_equal(old.scores(queries), scores)

    def test_nothing_new_changes_nothing(self, dataset, old, queries):
        same = old.updated(dataset, Arrivals.of([], [], times=[]))
        np.testing.assert_allclose(same.scores(queries), old.scores(queries), rtol=1e-6)

    def test_a_restored_model_updates_alike(self, dataset, old, queries):
        restored = type(old).restore(old.settings, old.state())
        (events, *_) = batches_after(dataset)
        both = [
            m.updated(appended(dataset, events), events).scores(queries) for m in (old, restored)
        ]
        np.testing.assert_array_equal(both[0], both[1])

    def test_an_updated_model_survives_a_round_trip(self, later, queries):
        model = later[1]
        restored = type(model).restore(model.settings, model.state())
        np.testing.assert_array_equal(restored.scores(queries), model.scores(queries))

    def test_dismissals_alone_teach_nothing(self, dataset, old, queries):
        events = batches_after(dataset)[0]
        events = events.where(events.users < dataset.n_users)  # a newcomer is one user more
        turned_down = replace(events, weights=-np.ones_like(events.weights), newcomers=())
        same = old.updated(appended(dataset, turned_down), turned_down)
        np.testing.assert_allclose(same.scores(queries), old.scores(queries), rtol=1e-4)

    def test_items_that_came_later_are_learned(self, dataset, old):
        wider = with_a_new_item(dataset)
        events = Arrivals.of([0, 1, 2], [N_ITEMS] * 3, times=[dataset.interactions.times.max()] * 3)
        after = appended(wider, events)
        scores = old.updated(after, events).scores(Queries.of([[1, 2, 3]]))
        assert scores.shape == (1, N_ITEMS + 1)
        assert np.isfinite(scores[0, N_ITEMS])

    @staticmethod
    def nearness(found: Floats, fitted: Floats) -> float:
        """Give the least correlation of a row of scores with that of the fit."""
        rows = []
        for mine, theirs in zip(found, fitted, strict=True):
            said = ~np.isnan(theirs)
            if said.sum() > 2 and np.ptp(theirs[said]) > 0:
                rows.append(np.corrcoef(mine[said], theirs[said])[0, 1])
        return float(min(rows))


def with_a_new_item(dataset: Dataset) -> Dataset:
    from longtale.data.catalog import Catalog
    from longtale.data.vocabulary import Vocabulary

    added = Catalog(Vocabulary.of(["fresh"], noun="item"), dataset.catalog.frame[:1])
    return replace(dataset, catalog=dataset.catalog.extended(added))
