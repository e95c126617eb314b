"""The laws of every reranker: inherit `RerankerLaws`, say how yours is made, and that is all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pytest

from longtale.arrays import Floats, Mask, Rows, unit_rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.rerank import Reranker
from longtale.seeds import generator
from longtale.settings import Settings

N_ITEMS, N_GROUPS, WIDTH = 40, 5, 12


@dataclass(frozen=True, eq=False)
class Items:
    """What a reranker may want to know about the items."""

    vectors: Floats
    codes: Rows
    counts: Rows
    is_new: Mask

    @classmethod
    def drawn(cls) -> Self:
        """Some items have no vector, some no group, some two, some no event."""
        rng = generator(0, "reranker laws")
        vectors = unit_rows(rng.normal(size=(N_ITEMS, 4)).astype(np.float32))
        vectors[::9] = 0
        codes = rng.integers(N_GROUPS, size=(N_ITEMS, 2), dtype=np.int32)
        codes[codes[:, 0] == codes[:, 1], 1] = -1
        codes[::7] = -1
        counts = rng.geometric(0.05, size=N_ITEMS) - 1
        counts[::5] = 0
        return cls(vectors, codes, counts, counts == 0)


def drawn_candidates(n_requests: int, width: int, seed: int = 0) -> Candidates:
    """Give candidates of which request b misses the last b; some scores are equal."""
    rng = generator(seed, "candidates")
    items = rng.permuted(np.tile(np.arange(N_ITEMS, dtype=np.int32), (n_requests, 1)), axis=1)
    scores = np.sort(rng.integers(0, 25, size=(n_requests, width)), axis=1)[:, ::-1]
    is_padding = np.arange(width) >= width - np.arange(n_requests)[:, None]
    return Candidates(
        np.where(is_padding, np.int32(-1), items[:, :width]),
        np.where(is_padding, np.float32(np.nan), scores.astype(np.float32) / 8),
    )


class RerankerLaws:
    """Inherit, set `settings`, `neutral` and `other_settings`, and define `made`.

    settings: an instance that moves items.
    neutral: settings that change nothing.
    other_settings: settings of which each field must change some slate.
    """

    settings: Settings
    neutral: Settings
    other_settings: Settings

    @classmethod
    def made(cls, items: Items, settings: Settings) -> Reranker:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def items(cls) -> Items:
        return Items.drawn()

    @pytest.fixture(scope="class")
    @classmethod
    def reranker(cls, items: Items) -> Reranker:
        return cls.made(items, cls.settings)

    @pytest.fixture
    def queries(self) -> Queries:
        """Somebody without a history, and others; some touched items newer than the reranker."""
        rng = generator(1, "reranker laws")
        return Queries.of([rng.integers(N_ITEMS + 3, size=n).tolist() for n in (0, 1, 3, 9, 20)])

    @pytest.fixture
    def candidates(self, queries: Queries) -> Candidates:
        return drawn_candidates(len(queries), WIDTH)

    def test_slate_is_as_wide_as_asked_or_as_there_are_candidates(
        self, reranker, queries, candidates
    ):
        for k in (1, 5, WIDTH, WIDTH + 7):
            slate = reranker.rerank(queries, candidates, k)
            assert slate.items.shape == slate.scores.shape == (len(queries), min(k, WIDTH))
            assert slate.items.dtype == np.int32
            assert slate.scores.dtype == np.float32

    def test_only_given_items_come_and_each_once(self, reranker, queries, candidates):
        slate = reranker.rerank(queries, candidates, 6)
        for given, shown in zip(candidates.items, slate.items, strict=True):
            shown = shown[shown >= 0]
            assert set(shown) <= set(given)
            assert len(set(shown)) == len(shown)

    def test_slate_is_filled_and_padding_stands_at_the_end(self, reranker, queries, candidates):
        for k in (4, WIDTH):
            slate = reranker.rerank(queries, candidates, k)
            n_shown = np.minimum((candidates.items >= 0).sum(axis=1), k)
            is_item = np.arange(k) < n_shown[:, None]
            np.testing.assert_array_equal(slate.items >= 0, is_item)
            np.testing.assert_array_equal(np.isnan(slate.scores), ~is_item)

    def test_something_moves(self, reranker, queries, candidates):
        assert (reranker.rerank(queries, candidates, 6).items != candidates.items[:, :6]).any()

    def test_strength_zero_keeps_the_first_as_they_were(self, items, queries, candidates):
        slate = self.made(items, self.neutral).rerank(queries, candidates, 6)
        np.testing.assert_array_equal(slate.items, candidates.items[:, :6])
        np.testing.assert_array_equal(slate.scores, candidates.scores[:, :6])

    def test_score_of_a_place_is_the_least_own_score_up_to_there(
        self, reranker, queries, candidates
    ):
        slate = reranker.rerank(queries, candidates, WIDTH)
        for b, shown in enumerate(slate.items):
            own = dict(zip(candidates.items[b], candidates.scores[b], strict=True))
            least = np.minimum.accumulate([own[item] for item in shown])
            np.testing.assert_array_equal(slate.scores[b], least)

    def test_batch_equals_singles(self, reranker, queries, candidates):
        together = reranker.rerank(queries, candidates, 6)
        for b in range(len(queries)):
            one = Candidates(candidates.items[[b]], candidates.scores[[b]])
            alone = reranker.rerank(queries.take(np.array([b])), one, 6)
            np.testing.assert_array_equal(alone.items, together.items[[b]])
            np.testing.assert_array_equal(alone.scores, together.scores[[b]])

    def test_same_request_gives_the_same_slate(self, items, reranker, queries, candidates):
        first = reranker.rerank(queries, candidates, 6)
        for again in (reranker, self.made(items, self.settings)):
            np.testing.assert_array_equal(again.rerank(queries, candidates, 6).items, first.items)

    def test_padding_changes_nothing(self, reranker, queries, candidates):
        wider = Candidates(
            np.pad(candidates.items, ((0, 0), (0, 4)), constant_values=-1),
            np.pad(candidates.scores, ((0, 0), (0, 4)), constant_values=np.nan),
        )
        np.testing.assert_array_equal(
            reranker.rerank(queries, wider, WIDTH).items,
            reranker.rerank(queries, candidates, WIDTH).items,
        )

    def test_scale_and_shift_of_the_scores_change_no_order(self, reranker, queries, candidates):
        scaled = Candidates(candidates.items, 64 * candidates.scores - 16)
        np.testing.assert_array_equal(
            reranker.rerank(queries, scaled, 6).items,
            reranker.rerank(queries, candidates, 6).items,
        )

    def test_candidates_stay_as_they_were(self, reranker, queries, candidates):
        items, scores = candidates.items.copy(), candidates.scores.copy()
        reranker.rerank(queries, candidates, 6)
        np.testing.assert_array_equal(candidates.items, items)
        np.testing.assert_array_equal(candidates.scores, scores)

    def test_nobody_and_nothing_give_empty_slates(self, reranker, queries, candidates):
        nobody = Candidates(candidates.items[:0], candidates.scores[:0])
        none = queries.take(np.array([], dtype=np.int64))
        assert reranker.rerank(none, nobody, 6).items.shape == (0, 6)
        nothing = Candidates(candidates.items[:, :0], candidates.scores[:, :0])
        assert reranker.rerank(queries, nothing, 6).items.shape == (len(queries), 0)

    def test_each_setting_changes_something(self, items, reranker, queries, candidates):
        usual = reranker.rerank(queries, candidates, 6).items
        for name, value in self.other_settings:
            assert value != getattr(self.settings, name), f"give {name} another value"
            changed = self.settings.model_copy(update={name: value})
            other = self.made(items, changed).rerank(queries, candidates, 6).items
            assert not np.array_equal(usual, other), name
