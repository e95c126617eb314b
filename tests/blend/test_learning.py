from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.gate import N_SLOPES, GatedBlend
from longtale.blend.learning import _Loss, fit_blend, learned, parts_of
from longtale.blend.lists import Example, Lists
from longtale.data.interactions import Histories
from longtale.data.query import Queries

N_ITEMS, N_REQUESTS = 60, 300
KNOWN = np.arange(N_ITEMS) % 2 == 0
ITEMS = np.zeros((N_ITEMS, 3), dtype=np.float32)
ITEMS[:, 0] = np.where(KNOWN, 2, -2)


def world(rng: np.random.Generator, *, by_evidence: bool = True) -> Example:
    """Two sources: one knows the often touched items and makes noise of others, one the reverse.

    Without evidence both know a little of every item.
    """
    targets = rng.integers(N_ITEMS, size=N_REQUESTS)
    scores = rng.normal(size=(2, N_REQUESTS, N_ITEMS)).astype(np.float32)
    rows = np.arange(N_REQUESTS)
    knowing = np.where(KNOWN[targets], 0, 1) if by_evidence else slice(None)
    scores[knowing, rows, targets] += 3 if by_evidence else 1
    masked = np.zeros((N_REQUESTS, N_ITEMS), dtype=np.bool_)
    return Example(
        Queries.of([[0]] * N_REQUESTS), scores, Histories.of(targets[:, None].tolist()), masked
    )


def fitted(example: Example, **settings: float | bool) -> GatedBlend:
    own = BlendSettings.parse({"cutoff": 10, "gate_l2": 0.3, "gate_lists": 100, **settings})
    prior = np.array([0.5, 0.5], dtype=np.float32)
    rng = np.random.default_rng(0)
    return fit_blend(Lists.of(example, 20), ITEMS, own, newcomer_weights=prior, rng=rng)


def quality(blend: GatedBlend, example: Example) -> float:
    blended = blend.contributions(example.queries, example.scores).sum(axis=0)
    return float((blended.argmax(axis=1) == example.targets.items).mean())


def test_gate_that_sees_the_evidence_beats_one_weight_for_all(rng):
    gated, flat = (fitted(world(rng), gate=gate) for gate in (True, False))
    unseen = world(rng)
    assert quality(gated, unseen) > quality(flat, unseen) + 0.1
    assert gated.slopes[0, 0] > 0 > gated.slopes[1, 0]


def test_gate_does_no_harm_where_evidence_tells_nothing(rng):
    gated, flat = (fitted(world(rng, by_evidence=False), gate=gate) for gate in (True, False))
    unseen = [world(rng, by_evidence=False) for _ in range(4)]
    lost = np.mean([quality(flat, one) - quality(gated, one) for one in unseen])
    assert lost < 0.02


def test_gate_that_loses_on_what_it_did_not_learn_from_is_not_kept(rng, monkeypatch):
    def misled(lists, start, settings):
        return replace(start, slopes=np.full_like(start.slopes, -5) * [[1], [-1]])

    monkeypatch.setattr("longtale.blend.learning.learned", misled)
    assert not fitted(world(rng)).slopes.any()


def test_few_requests_teach_no_gate(rng):
    assert not fitted(world(rng), gate_lists=301).slopes.any()


def test_gate_that_is_not_wanted_stays_flat(rng):
    assert not fitted(world(rng), gate=False).slopes.any()


def test_weights_in_an_answer_are_those_that_were_used(rng):
    example = world(rng)
    gated = fitted(example)
    calibrated = (example.scores - example.scores.mean(-1, keepdims=True)) / example.scores.std(
        -1, keepdims=True
    )
    items = np.tile(np.arange(N_ITEMS, dtype=np.int32), (N_REQUESTS, 1))
    weights = gated.weights_at(example.queries, example.scores, items)
    np.testing.assert_allclose(
        gated.contributions(example.queries, example.scores), weights * calibrated, atol=1e-4
    )


def test_gradient_is_that_of_the_loss(rng):
    lists = Lists.of(world(rng), 10)
    loss = _Loss(lists.take(np.flatnonzero(lists.found)), ITEMS, 0.01)
    point = rng.normal(size=2 * (1 + N_SLOPES)) / 3
    wrong = optimize.check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], point)
    assert wrong < 1e-5


def test_what_is_learned_from_is_what_answers(rng):
    """The parts that the search adds up are those of the answer, item by item."""
    example = world(rng)
    example.scores[1, :, 3] = np.nan
    items = ITEMS.copy()
    items[3:5] = [-2.3, 1, 0]
    convex = ConvexBlend(BlendSettings(), *np.float32([[0.4, 0.6], [1, 0]]))
    slopes = rng.normal(size=(2, N_SLOPES)).astype(np.float32) / 3
    blend = GatedBlend(convex, slopes, np.float32([0, 2]), 0.7, items)
    lists = Lists.of(example, N_ITEMS)
    answered = blend.contributions(example.queries, example.scores)
    expected = answered[:, lists.owners, lists.items].T
    np.testing.assert_allclose(parts_of(lists, blend), expected, rtol=1e-3, atol=1e-5)


def test_source_that_says_nothing_is_left_out(rng):
    example = world(rng)
    silent = np.full((1, N_REQUESTS, N_ITEMS), np.nan, dtype=np.float32)
    example = replace(example, scores=np.concatenate([example.scores, silent]))
    own = BlendSettings(cutoff=10)
    prior = np.full(3, 1 / 3, dtype=np.float32)
    lists = Lists.of(example, 20)
    blend = fit_blend(lists, ITEMS, own, newcomer_weights=prior, rng=np.random.default_rng(0))
    assert blend.convex.weights[2] == 0
    assert blend.convex.weights.sum() == pytest.approx(1)


def test_short_histories_teach_the_gate_what_a_history_is_worth(rng):
    """With a long history only the first source knows, with a short one only the second."""
    targets = rng.integers(N_ITEMS, size=(2, N_REQUESTS))
    masked = np.zeros((N_REQUESTS, N_ITEMS), dtype=np.bool_)
    lists = []
    for source, n_events in enumerate((50, 1)):
        scores = rng.normal(size=(2, N_REQUESTS, N_ITEMS)).astype(np.float32)
        scores[source, np.arange(N_REQUESTS), targets[source]] += 2
        queries = Queries.of([[0] * n_events] * N_REQUESTS)
        of = Histories.of(targets[source][:, None].tolist())
        lists.append(Lists.of(Example(queries, scores, of, masked), 20))
    prior = np.array([0.5, 0.5], dtype=np.float32)
    flat = GatedBlend.flat(ConvexBlend(BlendSettings(), prior, prior), ITEMS)
    gate = learned(Lists.concatenated(lists), flat, BlendSettings(gate_l2=0.6))
    history = N_SLOPES - 3
    assert gate.slopes[0, history] > 0 > gate.slopes[1, history]
