from __future__ import annotations

from dataclasses import replace

import numpy as np

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.gate import BURIED, GatedBlend
from longtale.blend.lists import Example, Lists
from longtale.blend.new_items import with_new_items
from longtale.data.interactions import Histories
from longtale.data.query import Queries

N_ITEMS, N_REQUESTS = 80, 400
NEW = np.arange(N_ITEMS) >= 60
ITEMS = np.where(NEW[:, None], [-2.3, 1, 0], [0, 0, 0]).astype(np.float32)


def world(rng: np.random.Generator) -> Example:
    """The first source knows known items well, the second reads all, the third makes noise."""
    targets = rng.integers(N_ITEMS, size=N_REQUESTS)
    rows = np.arange(N_REQUESTS)
    scores = rng.normal(size=(3, N_REQUESTS, N_ITEMS)).astype(np.float32)
    scores[0, rows, targets] += 4
    scores[0][:, NEW] = np.nan
    scores[1, rows, targets] += 3
    masked = np.zeros((N_REQUESTS, N_ITEMS), dtype=np.bool_)
    queries = Queries.of([[0]] * N_REQUESTS)
    return Example(queries, scores, Histories.of(targets[:, None].tolist()), masked)


def fitted(example: Example, price: float) -> GatedBlend:
    weights = np.array([0.9, 0.1, 0], dtype=np.float32)
    settings = BlendSettings(new_items_price=price)
    flat = GatedBlend.flat(ConvexBlend(settings, weights, weights), ITEMS)
    return with_new_items(flat, Lists.of(example, 30))


def quality(blend: GatedBlend, example: Example, *, of_new: bool) -> float:
    blended = blend.contributions(example.queries, example.scores).sum(axis=0)
    targets = example.targets.items
    asked = NEW[targets] == of_new
    return float((blended.argmax(axis=1) == targets)[asked].mean())


def test_new_items_are_found_beside_known_ones_at_the_price_that_is_allowed(rng):
    example, unseen = world(rng), world(rng)
    weights = np.array([0.9, 0.1, 0], dtype=np.float32)
    flat = GatedBlend.flat(ConvexBlend(BlendSettings(), weights, weights), ITEMS)
    lifted = fitted(example, 0.05)
    assert quality(flat, unseen, of_new=True) < 0.1
    assert quality(lifted, unseen, of_new=True) > 0.3
    known = quality(flat, unseen, of_new=False)
    assert quality(lifted, unseen, of_new=False) > known - 0.1


def test_who_reads_new_items_gets_their_weight(rng):
    weights = fitted(world(rng), 0.05).new_weights
    assert weights[0] == 0
    assert weights[1] > weights[2]


def test_a_higher_price_lifts_new_items_further(rng):
    example = world(rng)
    cheap, dear = (quality(fitted(example, price), example, of_new=True) for price in (0.01, 0.3))
    assert dear > cheap


def test_a_few_new_items_are_lifted_further_than_many(rng):
    many = fitted(world(rng), 0.02)
    few = replace(many, items=ITEMS * (np.arange(N_ITEMS) < 62)[:, None]).lifted()
    assert place(few) < place(many)


def place(blend: GatedBlend) -> int:
    """Give which of its steps a blend has taken."""
    chosen = np.array([blend.new_weights.sum(), blend.lift])
    return int(np.abs(blend.steps[:, :2] - chosen).sum(axis=1).argmin())


def test_where_no_step_can_be_paid_new_items_stand_behind_all(rng):
    dear = fitted(world(rng), 0.02)
    dear = replace(dear, steps=dear.steps + np.array([0, 0, 1])).lifted()
    assert dear.lift == BURIED


def test_too_few_requests_teach_nothing(rng):
    example = world(rng)
    known = np.minimum(example.targets.items, 59)
    targets = Histories.of(known[:, None].tolist())
    blend = fitted(replace(example, targets=targets), 0.05)
    assert not blend.new_weights.any()


def test_known_items_are_scored_as_before(rng):
    example = world(rng)
    lifted = fitted(example, 0.05)
    flat = replace(lifted, new_weights=np.zeros(3, dtype=np.float32))
    before, after = (b.contributions(example.queries, example.scores) for b in (flat, lifted))
    np.testing.assert_allclose(after[:, :, ~NEW], before[:, :, ~NEW], atol=1e-6)
    assert lifted.uses(example.queries)[1]
