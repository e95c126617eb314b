from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from longtale.blend.convex import BlendSettings, ConvexBlend
from longtale.blend.lists import Example, Lists
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import SettingsError

N_ITEMS = 50


def _example(rng: np.random.Generator, *, noise: float, n_requests: int = 64) -> Example:
    """Three sources: one that knows half of the truth, one the other half, one nothing."""
    targets = rng.integers(N_ITEMS, size=(n_requests, 1))
    truth = np.zeros((n_requests, N_ITEMS), dtype=np.float32)
    np.put_along_axis(truth, targets, 1, axis=1)
    first = rng.random(n_requests) < 0.5
    scores = rng.normal(scale=noise, size=(3, n_requests, N_ITEMS)).astype(np.float32)
    scores[0][first] += truth[first]
    scores[1][~first] += truth[~first]
    masked = np.zeros((n_requests, N_ITEMS), dtype=np.bool_)
    return Example(Queries.of([[0]] * n_requests), scores, Histories.of(targets.tolist()), masked)


def _fit(example: Example, **settings: float) -> ConvexBlend:
    newcomers = np.full(len(example.scores), 1 / len(example.scores), dtype=np.float32)
    own = BlendSettings(**settings)
    return ConvexBlend.fit(Lists.of(example, own.depth), own, newcomer_weights=newcomers)


def _hit_rate(blended: np.ndarray, example: Example) -> float:
    return float((blended.argmax(axis=1) == example.targets.items).mean())


def test_blend_beats_each_source_when_each_knows_half(rng: np.random.Generator) -> None:
    blend = _fit(_example(rng, noise=0.15))
    unseen = _example(rng, noise=0.15)
    queries = Queries.of([[0]] * 64)
    blended = blend.contributions(queries, unseen.scores).sum(axis=0)
    assert _hit_rate(blended, unseen) > max(_hit_rate(s, unseen) for s in unseen.scores) + 0.2


def test_weights_are_convex_and_noise_gets_least(rng: np.random.Generator) -> None:
    weights = _fit(_example(rng, noise=0.15)).weights
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights[2] == weights.min()


def test_what_is_masked_does_not_count_against_a_source(rng: np.random.Generator) -> None:
    """One source knows all, but puts what cannot be recommended first; one knows half."""
    example = _example(rng, noise=0.15)
    example.targets.items[:] = np.maximum(example.targets.items, 1)
    rows = np.arange(len(example.targets))
    example.scores[2][rows, example.targets.items] = 2
    example.scores[2][:, 0] = 4
    masked = example.masked.copy()
    masked[:, 0] = True
    fair, unfair = (
        _fit(replace(example, masked=m), cutoff=1).weights for m in (masked, example.masked)
    )
    assert fair[2] > 0.9 > unfair[2]


def test_newcomers_have_weights_of_their_own() -> None:
    old, new = (np.array(w, dtype=np.float32) for w in ([1, 0], [0, 1]))
    blend = ConvexBlend(BlendSettings(), old, new)
    assert blend.weights_of(Queries.of([[], [3]])).T.tolist() == [[0, 1], [1, 0]]


def test_words_count_less_the_longer_the_history_but_never_nothing() -> None:
    old, new = (np.array(w, dtype=np.float32) for w in ([1, 0], [0, 1]))
    blend = ConvexBlend(BlendSettings(words_share=0.2, patience=3), old, new)
    histories = [[], [1], [1] * 3, [1] * 97]
    words = np.ones((4, 2), dtype=np.float32)
    queries = Queries(np.full(4, -1, np.int32), Histories.of(histories), words)
    shares = blend.weights_of(queries)[1].tolist()
    assert shares == pytest.approx([1, 0.75, 0.5, 0.2])


def test_same_examples_give_the_same_weights(rng: np.random.Generator) -> None:
    example = _example(rng, noise=0.15)
    assert (_fit(example).weights == _fit(example).weights).all()


def test_newcomers_weights_are_chosen_by_newcomers(rng: np.random.Generator) -> None:
    acted, new = _example(rng, noise=0.15), _example(rng, noise=0.15)
    new.scores[1] = np.nan
    examples = [acted, replace(new, queries=Queries.of([[]] * 64))]
    lists = Lists.concatenated([Lists.of(example, 200) for example in examples])
    prior = np.array([0.1, 0.0, 0.9], dtype=np.float32)
    blend = ConvexBlend.fit(lists, BlendSettings(), newcomer_weights=prior)
    assert blend.newcomer_weights[0] > blend.newcomer_weights[2]
    assert blend.weights[1] > 0.1


def test_no_validation_request_is_refused() -> None:
    example = _example(np.random.default_rng(0), noise=1)
    newcomers = Lists.of(replace(example, queries=Queries.of([[]] * 64)), 200)
    with pytest.raises(SettingsError, match="at least one validation request"):
        ConvexBlend.fit(newcomers, BlendSettings(), newcomer_weights=np.ones(3, np.float32))


def test_silent_sources_win_no_newcomers_by_the_order_of_items(rng: np.random.Generator) -> None:
    example = _example(rng, noise=0.15)
    example.targets.items[:] = 0
    silent = np.full((2, 64, N_ITEMS), np.nan, dtype=np.float32)
    popular = rng.normal(size=(1, 64, N_ITEMS)).astype(np.float32)
    queries = Queries.of([[]] * 32 + [[0]] * 32)
    scores = np.concatenate([popular, silent])
    scores[1, 32:] = example.scores[0, 32:]
    blend = _fit(Example(queries, scores, example.targets, example.masked))
    assert blend.newcomer_weights[0] > 0


def test_what_a_newcomers_sources_cannot_score_is_so_in_any_company() -> None:
    old, new = (np.array(w, dtype=np.float32) for w in ([1, 0], [0, 1]))
    blend = ConvexBlend(BlendSettings(), old, new)
    scores = np.array([[[1, 2], [1, 2]], [[1, 2], [np.nan, 2]]], dtype=np.float32)
    blended = blend.contributions(Queries.of([[1], []]), scores).sum(axis=0)
    assert np.isneginf(blended).tolist() == [[False, False], [True, False]]
