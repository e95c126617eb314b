from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.rank.worlds import N_ITEMS, evidence_of, lesson, scored_of, world

from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.rank.examples import Examples, PoolSettings, pooled
from longtale.rank.features import Scored, features

SMALL = PoolSettings(depth=5, n_new=3)


def test_candidates_are_the_union_of_each_sources_best():
    scored = scored_of(4)
    nothing = np.zeros((4, N_ITEMS), dtype=np.bool_)
    items = pooled(scored, nothing, nothing[0], SMALL)
    for row in range(4):
        expected = set()
        for scores in (*scored.scores[:, row], scored.blended[row]):
            usable = [i for i in range(N_ITEMS) if not np.isnan(scores[i])]
            expected |= set(sorted(usable, key=lambda i: -scores[i])[:5])
        assert set(items[row][items[row] >= 0]) == expected


def test_candidates_stand_in_the_order_of_the_blend_and_padding_last():
    scored = scored_of(6)
    nothing = np.zeros((6, N_ITEMS), dtype=np.bool_)
    for row, own in enumerate(pooled(scored, nothing, nothing[0], SMALL)):
        n = int((own >= 0).sum())
        assert (own[n:] == -1).all()
        assert (np.diff(scored.blended[row, own[:n]]) <= 0).all()
        assert len(set(own[:n])) == n


def test_untouched_items_are_always_among_the_candidates():
    is_new = np.arange(N_ITEMS) % 6 == 0
    scored = scored_of(3)
    scored.blended[:, is_new] -= 50
    scored.scores[:, :, is_new] -= 50
    nothing = np.zeros((3, N_ITEMS), dtype=np.bool_)
    for row, own in enumerate(pooled(scored, nothing, is_new, SMALL)):
        new = [i for i in own if i >= 0 and is_new[i]]
        best = sorted(np.flatnonzero(is_new), key=lambda i: -scored.blended[row, i])[:3]
        assert new == best


def test_masked_and_unscored_items_never_are():
    scored = scored_of(3)
    masked = np.random.default_rng(0).random((3, N_ITEMS)) < 0.8
    scored.blended[:, 10:20] = -np.inf
    items = pooled(scored, masked, np.ones(N_ITEMS, dtype=np.bool_), SMALL)
    rows, places = np.nonzero(items >= 0)
    found = items[rows, places]
    assert len(found)
    assert not masked[rows, found].any()
    assert not ((found >= 10) & (found < 20)).any()


def test_a_source_that_tells_nothing_apart_proposes_nothing():
    scored = scored_of(1)
    scored.scores[1] = 0
    nothing = np.zeros((1, N_ITEMS), dtype=np.bool_)
    both = pooled(scored, nothing, nothing[0], SMALL)
    one = Scored(("first",), scored.scores[:1], scored.blended)
    np.testing.assert_array_equal(both, pooled(one, nothing, nothing[0], SMALL))


def test_where_nothing_may_come_there_is_only_padding():
    scored = scored_of(2)
    everything = np.ones((2, N_ITEMS), dtype=np.bool_)
    assert (pooled(scored, everything, everything[0], SMALL) == -1).all()


@pytest.fixture(scope="module")
def evidence():
    return evidence_of(world())


def test_rows_are_the_candidates_features_and_what_came(evidence):
    batch = lesson(20)
    examples = Examples.of([batch], evidence, SMALL)
    items = pooled(batch.scored, batch.masked, evidence.is_new, SMALL)
    table = features(batch.queries, items, batch.scored, evidence)
    kept = [b for b in range(20) if batch.targets.items[b] in items[b]]
    assert len(examples) == len(kept)
    for g, b in enumerate(kept):
        rows = slice(*examples.offsets[g : g + 2])
        real = items[b] >= 0
        np.testing.assert_allclose(
            examples.features[rows], table.values[b][real], rtol=1e-4, atol=1e-6
        )
        expected = items[b][real] == batch.targets.items[b]
        np.testing.assert_array_equal(examples.is_target[rows], expected)


def test_requests_whose_target_is_no_candidate_are_counted_not_kept(evidence):
    batch = lesson(30)
    out_of_reach = batch.targets.matrix(N_ITEMS).toarray() > 0
    examples = Examples.of([replace(batch, masked=out_of_reach)], evidence, SMALL)
    assert examples.n_dropped == 30
    assert len(examples) == 0
    assert examples.features.shape == (0, len(examples.names))


def test_who_has_no_target_is_neither_kept_nor_counted(evidence):
    batch = replace(lesson(3), targets=Histories.of([[], [], []]))
    examples = Examples.of([batch], evidence, SMALL)
    assert (len(examples), examples.n_dropped) == (0, 0)


def test_batches_give_what_one_batch_gives(evidence):
    whole, parts = lesson(20), []
    for rows in np.array_split(np.arange(20), 3):
        scored = Scored(
            whole.scored.sources, whole.scored.scores[:, rows], whole.scored.blended[rows]
        )
        targets = whole.targets.take(rows)
        parts.append(
            replace(
                whole,
                queries=whole.queries.take(rows),
                scored=scored,
                targets=targets,
                masked=whole.masked[rows],
            )
        )
    one, many = Examples.of([whole], evidence, SMALL), Examples.of(parts, evidence, SMALL)
    np.testing.assert_allclose(one.features, many.features, rtol=1e-4, atol=1e-6)
    for name in ("is_target", "offsets", "n_targets", "n_dropped"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_chosen_requests_keep_their_rows(evidence):
    examples = Examples.of([lesson(20)], evidence, SMALL)
    kept = np.arange(len(examples)) % 2 == 1
    some = examples.where(kept)
    assert len(some) == kept.sum()
    rows = slice(*examples.offsets[1:3])
    np.testing.assert_array_equal(some.features[: some.sizes[0]], examples.features[rows])


def test_no_batch_is_an_error(evidence):
    with pytest.raises(DataError, match="there is none"):
        Examples.of([], evidence)


def test_batches_of_different_sources_are_an_error(evidence):
    batch = lesson(5)
    other = replace(batch, scored=replace(batch.scored, sources=("first", "third")))
    with pytest.raises(DataError, match="different features"):
        Examples.of([batch, other], evidence)
