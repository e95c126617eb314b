"""MMR and DPP against their formulas written out, and worlds whose answer everyone can see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.arrays import unit_rows
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.rank.diversity import DPP, MMR, DPPSettings, MMRSettings
from longtale.rank.rerank import relevance
from longtale.seeds import generator

SEEDS, STRENGTHS = st.integers(0, 2**20), st.floats(0, 1)


def drawn(seed: int, width: int = 8) -> tuple[Candidates, np.ndarray]:
    rng = generator(seed, "diversity")
    vectors = unit_rows(rng.normal(size=(20, 12)).astype(np.float32))
    vectors[seed % 20] = 0
    items = rng.permutation(20).astype(np.int32)[None, :width]
    return Candidates(items, -np.sort(-rng.normal(size=(1, width)).astype(np.float32))), vectors


def order(reranker: MMR | DPP, candidates: Candidates, k: int) -> list[int]:
    return reranker.rerank(Queries.of([[]]), candidates, k).items[0].tolist()


def similarity(vectors: np.ndarray, items: list[int]) -> np.ndarray:
    own = vectors[items].astype(np.float64)
    return own @ own.T


def slow_mmr(candidates: Candidates, vectors: np.ndarray, strength: float, k: int) -> list[int]:
    worth = dict(zip(candidates.items[0].tolist(), relevance(candidates)[0], strict=True))
    slate: list[int] = []
    while len(slate) < k:
        rest = [item for item in candidates.items[0].tolist() if item not in slate]
        nearest = {i: max((vectors[i] @ vectors[j] for j in slate), default=0) for i in rest}
        slate.append(max(rest, key=lambda i: (1 - strength) * worth[i] - strength * nearest[i]))
    return slate


def slow_dpp(candidates: Candidates, vectors: np.ndarray, strength: float, k: int) -> list[int]:
    worth = dict(zip(candidates.items[0].tolist(), relevance(candidates)[0], strict=True))

    def objective(items: list[int]) -> float:
        kernel = (1 + similarity(vectors, items)) / 2
        np.fill_diagonal(kernel, 1)
        volume = np.linalg.slogdet(kernel)[1]
        return (1 - strength) * sum(worth[i] for i in items) + strength * volume

    slate: list[int] = []
    while len(slate) < k:
        rest = [item for item in candidates.items[0].tolist() if item not in slate]
        slate.append(max(rest, key=lambda i: objective([*slate, i])))
    return slate


@given(SEEDS, STRENGTHS)
def test_mmr_equals_the_formula_written_out(seed, strength):
    candidates, vectors = drawn(seed)
    fast = order(MMR.of(vectors, MMRSettings(strength=strength)), candidates, 6)
    assert fast == slow_mmr(candidates, vectors, strength, 6)


@given(SEEDS, st.floats(0, 0.99))
def test_dpp_equals_the_determinant_written_out(seed, strength):
    candidates, vectors = drawn(seed)
    fast = order(DPP.of(vectors, DPPSettings(strength=strength)), candidates, 6)
    assert fast == slow_dpp(candidates, vectors, strength, 6)


TWINS = np.float32([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FALLING = Candidates(np.int32([[0, 1, 2, 3]]), np.float32([[4, 3.9, 2, 1]]))
RERANKERS = [
    MMR.of(TWINS, MMRSettings(strength=0.8)),
    DPP.of(TWINS, DPPSettings(strength=0.8)),
]


@pytest.mark.parametrize("reranker", RERANKERS)
def test_twin_of_the_best_stands_last(reranker):
    assert order(reranker, FALLING, 4) == [0, 2, 3, 1]


@pytest.mark.parametrize("reranker", RERANKERS)
def test_length_of_the_vectors_does_not_matter(reranker):
    longer = type(reranker).of(TWINS * np.float32([[1], [9], [3], [2]]), reranker.settings)
    assert order(longer, FALLING, 4) == order(reranker, FALLING, 4)


def test_dpp_sees_that_an_item_is_a_mixture_where_mmr_sees_its_nearest():
    mixture = np.float32([[1, 0, 0], [0, 1, 0], [0.7, 0.7, 0], [0.75, 0, 0.66]])
    candidates = Candidates(np.int32([[0, 1, 2, 3]]), np.float32([[1, 1, 1, 1]]))
    assert order(DPP.of(mixture, DPPSettings(strength=0.9)), candidates, 3) == [0, 1, 3]
    assert order(MMR.of(mixture, MMRSettings(strength=0.9)), candidates, 3) == [0, 1, 2]


def test_dpp_orders_by_relevance_where_the_volume_is_used_up():
    same = np.tile(np.float32([[1, 0]]), (5, 1))
    candidates = Candidates(np.int32([[3, 1, 4, 0, 2]]), np.float32([[5, 4, 3, 2, 1]]))
    reranker = DPP.of(same, DPPSettings(strength=0.9))
    assert order(reranker, candidates, 5) == [3, 1, 4, 0, 2]


@pytest.mark.parametrize("kind, settings", [(MMR, MMRSettings), (DPP, DPPSettings)])
def test_more_strength_brings_more_diversity_in_the_mean(kind, settings):
    means = []
    for strength in (0.0, 0.5, 1.0):
        alike = []
        for seed in range(60):
            candidates, vectors = drawn(seed)
            reranker = kind.of(vectors, settings(strength=strength))
            pairs = similarity(vectors, order(reranker, candidates, 4))
            alike.append(pairs[~np.eye(4, dtype=np.bool_)].mean())
        means.append(np.mean(alike))
    assert means[0] > means[1] + 0.02
    assert means[1] > means[2]
