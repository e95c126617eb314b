"""Solving for item-to-item weights in closed form: what the linear models have in common."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask, compact
from longtale.data.interactions import Histories
from longtale.models.interest import interest

_LEAST = 0.01
"""Pairs of events that weigh less than this are left out: they cost time and say nothing."""


def learned_items(counts: NDArray[np.int64], max_items: int) -> Mask:
    """Say which items take part, bool (N,): the most popular ones that have any event."""
    known = np.zeros(len(counts), dtype=np.bool_)
    known[np.argsort(-counts, kind="stable")[:max_items]] = True
    return known & (counts > 0)


def together_inverse(
    histories: Histories, known: Mask, *, l2: float, nearness: float | None
) -> Floats:
    """Give P = (G + λI)⁻¹ of the known items, float32 (N, N), G counts who met both of two items.

    Args:
        histories: of all users.
        known: bool, the N items that take part.
        l2: λ.
        nearness: half-life of `near_gram`; None counts all items of a history alike, G = XᵀX
            with X what each user met as 0 and 1.
    """
    *transposed, last = together_factors(histories, known, nearness)
    if not transposed:
        return gram_inverse(last, l2)
    n_users, n_items = last.shape
    if n_users < n_items / 2:
        return _inverse_by_users(last, l2)
    return gram_inverse(last.T @ last, l2)


def together_factors(
    histories: Histories, known: Mask, nearness: float | None
) -> tuple[sparse.csr_array, ...]:
    """Give sparse matrices whose product is G of the known items: Xᵀ and X, or G itself."""
    if nearness is not None:
        usable = histories.where(known[histories.items])
        return (near_gram(usable, len(known), nearness)[known][:, known],)
    liked = interest(histories, known, binary=True)[:, known]
    return liked.T, liked


def gram_inverse(gram: sparse.csr_array, l2: float) -> Floats:
    """Give (G + λI)⁻¹, float32 (N, N), of a symmetric G without negative eigenvalues."""
    dense = np.asfortranarray(gram.toarray(), dtype=np.float32)
    dense[np.diag_indices(len(dense))] += np.float32(l2)
    factor, _ = linalg.lapack.spotrf(dense, overwrite_a=True)
    inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
    inverse += np.triu(inverse, 1).T  # LAPACK fills the upper triangle only
    return inverse


def _inverse_by_users(liked: sparse.csr_array, l2: float) -> Floats:
    """Give the same by Woodbury's identity, P = (I - Xᵀ(XXᵀ + λI)⁻¹X) / λ: quick for few users."""
    gram = (liked @ liked.T).toarray()
    gram[np.diag_indices(len(gram))] += np.float32(l2)
    root = linalg.solve_triangular(linalg.cholesky(gram, lower=True), liked.toarray(), lower=True)
    inverse = -(root.T @ root)
    inverse[np.diag_indices(len(inverse))] += 1
    return inverse / np.float32(l2)


def strongest(transposed: Floats, kept: int) -> sparse.csr_array:
    """Keep of each of T items only the strongest weights that speak for it.

    Args:
        transposed: float32 (T, N), a row holds what each item adds to the score of its item.
        kept: how many of each row stay.

    Returns:
        float32 (N, T), row j holds what item j adds to the score of each of the T items.
    """
    n_items, n_others = transposed.shape
    kept = min(kept, n_others)
    places = np.empty((n_items, kept), dtype=np.int32)
    for row, found in zip(transposed, places, strict=True):
        found[:] = np.argpartition(-np.abs(row), kept - 1)[:kept]
    values = np.take_along_axis(transposed, places, axis=1)
    indptr = np.arange(0, n_items * kept + 1, kept)
    pruned = sparse.csr_array((values.ravel(), places.ravel(), indptr), transposed.shape)
    return sparse.csr_array(pruned.T)


def widened(weights: sparse.csr_array, known: Mask) -> sparse.csr_array:
    """Give the weights between known items their rows and columns in the whole catalogue."""
    items = np.flatnonzero(known)
    found = weights.tocoo()
    places = (items[found.row], items[found.col])
    whole = sparse.coo_array((found.data, places), shape=(len(known), len(known)))
    return compact(sparse.csr_array(whole))


def near_gram(histories: Histories, n_items: int, half_life: float) -> sparse.csr_array:
    """Give how often items were met near each other, float32 (N, N), in place of XᵀX.

        G_ji = Σ k(|p - q|) over the events p on j and q on i of one user,
        k(n) = Σ_m w_m w_{m+n} / Σ_m w_m²,  w_m = 2^(-m/h) as far as it is at least 0.01

    This falls from 1 by about half for every h events between the two. As an autocorrelation it
    makes a G without negative eigenvalues; with h without end, G is XᵀX where no item comes
    twice.

    Args:
        histories: of all users, oldest first.
        n_items: N.
        half_life: h, events.
    """
    decay = np.exp2(-np.arange(ceil(half_life * log2(1 / _LEAST))) / half_life)
    nearness = np.correlate(decay, decay, mode="full")[len(decay) - 1 :] / (decay @ decay)
    ends = np.repeat(histories.offsets[1:], histories.lengths)
    events = np.arange(len(histories.items))
    ahead = sparse.csr_array((n_items, n_items), dtype=np.float32)
    for lag, weight in enumerate(nearness):
        first = events[events + lag < ends]
        pairs = (histories.items[first], histories.items[first + lag])
        weights = np.full(len(first), weight if lag else weight / 2, dtype=np.float32)
        ahead = ahead + sparse.coo_array((weights, pairs), shape=(n_items, n_items)).tocsr()
    return sparse.csr_array(ahead + ahead.T)
