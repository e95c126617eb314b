"""Solving for item-to-item weights in closed form: what the linear models have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask, compact


def learned_items(counts: NDArray[np.int64], max_items: int) -> Mask:
    """Say which items take part, bool (N,): the most popular ones that have any event."""
    known = np.zeros(len(counts), dtype=np.bool_)
    known[np.argsort(-counts, kind="stable")[:max_items]] = True
    return known & (counts > 0)


def ridge_inverse(liked: sparse.csr_array, l2: float) -> Floats:
    """Give P = (XᵀX + λI)⁻¹, float32 (N, N), by the cheaper of two ways."""
    n_users, n_items = liked.shape
    if n_users < n_items / 2:
        return _inverse_by_users(liked, l2)
    return gram_inverse(liked.T @ liked, l2)


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
    """Keep of each item only the strongest weights that speak for it.

    Args:
        transposed: float32 (N, N), row i holds what each item adds to the score of item i.
        kept: how many of each row stay.

    Returns:
        float32 (N, N), row j holds what item j adds to the score of each item.
    """
    n_items = len(transposed)
    kept = min(kept, n_items)
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
