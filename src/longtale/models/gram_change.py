"""What a small change of G does to all that (G + λI)⁻¹ gave: how linear models learn events.

Hager 1989, "Updating the Inverse of a Matrix"; Hestenes and Stiefel 1952, "Methods of Conjugate
Gradients for Solving Linear Systems".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import matmul
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask
from longtale.data.dataset import Dataset
from longtale.models.closed_form import strongest, together_factors, together_inverse
from longtale.models.linear import ItemWeights
from longtale.models.turn import Turn

_TOLERANCE = 1e-3
"""Length of the residual, as a share of the right side, at which conjugate gradients stop."""
_STEPS = 200  # at most; about 10 are usual
_DEAR = 300
"""Conjugate gradients take about 10 products with sparse matrices, each about 30 times as long as
dense ones for as many multiplications (measured with one thread)."""
_LEAST = 1e-5  # entries of a difference that are smaller come from rounding
_NOTICED = 0.05
"""Weights that speak for an item are left as they are where all that moves them is less than so
many events."""
_BLOCK = 1000  # columns; in a space of 20,000 items these take 80 MB

Factors = Sequence[sparse.csr_array]
"""Matrices whose product is G."""


@dataclass(frozen=True, eq=False)
class GramChange:
    """A change of G of low rank, and its effect on what was solved with A = G + λI.

    With A' = A + LR, what was X = A⁻¹Y becomes A'⁻¹Y = X - Z(RX), Z = A'⁻¹L: only R of the r
    columns of L must be solved for. All entries that change lie in rows or columns of M items;
    with J the rows of the unit matrix that select these and K = J ΔG,

        L = (Jᵀ, Kᵀ),  R = (K - K Jᵀ J; J)

    so the first M columns of Z are columns of A'⁻¹ itself, whatever the old X had forgotten. Where
    these are too many, all are solved for: L = I, R = ΔG.

    Args:
        items: int (M,), places of these items.
        solved: float32 (N, r), Z.
        right: float32 (r, N), R.
    """

    items: NDArray[np.int64]
    solved: Floats
    right: sparse.csr_array

    @classmethod
    def of(cls, turn: Turn, dataset: Dataset, *, l2: float, nearness: float | None) -> Self:
        """Give the change of G as in `together_inverse`, in the space of the turn's items."""
        histories, space = dataset.interactions.histories, turn.space
        usable = histories.where(turn.known[histories.items])
        parts = (together_factors(part, space, nearness) for part in (turn.now, turn.before))
        now, before = (reduce(matmul, part) for part in parts)
        change = sparse.csr_array(now - before)
        items = _cover(change, np.searchsorted(np.flatnonzero(space), turn.new))
        factors = together_factors(usable, space, nearness)
        if _is_dear(factors, 2 * len(items)):
            every = np.arange(change.shape[0])
            return cls(every, together_inverse(usable, space, l2=l2, nearness=nearness), change)
        unit = sparse.eye_array(change.shape[0], dtype=np.float32, format="csr")
        J, K = unit[items], change[items]
        right = sparse.vstack([K - K @ J.T @ J, J], format="csr")
        left = sparse.hstack([J.T, K.T]).toarray()
        return cls(items, solved(factors, left, l2), right)

    def applied(self, rows: Floats) -> Floats:
        """Give float32 (T, N), what is solved with A' in place of A; each row is one column."""
        return rows - (self.right @ rows.T).T @ self.solved.T

    def on_weights(self, rows: Floats, places: NDArray[np.integer]) -> Floats:
        """Give weights -P_ji / P_ii that follow from those before the change, 0 at j = i.

        With 1 in place of 0 and without the sign these are columns of P = A⁻¹ up to their lengths.

        Args:
            rows: float32 (T, N), the old weights that speak for T items.
            places: int (T,), which of the N items these are.
        """
        own = np.arange(len(places)), places
        _, mine, whole = np.intersect1d(places, self.items, return_indices=True)
        columns = np.empty_like(rows)
        columns[mine] = self.solved[:, whole].T
        others = np.setdiff1d(own[0], mine)
        if len(others):
            columns[others] = self._followed(rows[others], places[others])
        weights: Floats = -columns / columns[own][:, None]
        weights[own] = 0
        return weights

    def _followed(self, rows: Floats, places: NDArray[np.integer]) -> Floats:
        """Give columns of P up to their lengths, where the M items' own rows are those of Z.

        Weak weights are not kept, and the change alone does not bring them back. By symmetry Z
        holds them; its scale is the one that suits the M items' weights that were kept.
        """
        columns = -rows
        columns[np.arange(len(places)), places] = 1
        columns = self.applied(columns)
        true = self.solved[places, : len(self.items)]
        kept = true * (rows[:, self.items] != 0)
        scales = _share((kept * columns[:, self.items]).sum(axis=1), (kept**2).sum(axis=1))
        said = np.flatnonzero(scales > 0)
        columns[np.ix_(said, self.items)] = true[said] * scales[said][:, None]
        return columns


def solved(factors: Factors, right: Floats, l2: float) -> Floats:
    """Solve (G + λI) X = Y to about one part in a thousand, float32 (N, r).

    By conjugate gradients for all columns at a time, preconditioned by the diagonal; by a dense
    factorisation where there are so many columns that it is cheaper.

    Args:
        factors: matrices whose product is G, (N, N).
        right: float32 (N, r), Y.
        l2: λ.
    """
    n_items, n_columns = right.shape
    if _is_dear(factors, n_columns):
        dense = np.asfortranarray(reduce(matmul, factors).toarray(), dtype=np.float32)
        dense[np.diag_indices(n_items)] += np.float32(l2)
        found: Floats = linalg.solve(dense, right, assume_a="pos", overwrite_a=True)
        return found
    return _by_conjugate_gradients(factors, right, l2)


def _is_dear(factors: Factors, n_columns: int) -> bool:
    """Say whether conjugate gradients for so many columns take longer than a factorisation."""
    n_stored = sum(factor.nnz for factor in factors)
    return bool(_DEAR * n_columns * n_stored > factors[-1].shape[1] ** 3 / 3)


def _by_conjugate_gradients(factors: Factors, right: Floats, l2: float) -> Floats:
    scale = (1 / (_diagonal(factors) + l2)).astype(np.float32)[:, None]
    found, residual = np.zeros_like(right), right.copy()
    direction = scale * residual
    length = np.einsum("nr,nr->r", residual, direction)
    enough = _TOLERANCE**2 * length
    for _ in range(_STEPS):
        if (length <= enough).all():
            break
        image = reduce(lambda x, factor: factor @ x, reversed(factors), direction)
        image += np.float32(l2) * direction
        step = _share(length, np.einsum("nr,nr->r", direction, image))
        found += step * direction
        residual -= step * image
        scaled = scale * residual
        longer = np.einsum("nr,nr->r", residual, scaled)
        direction *= _share(longer, length)
        direction += scaled
        length = longer
    return found


def _share(part: Floats, whole: Floats) -> Floats:
    """Divide; 0 where there is nothing, as in columns that are solved already."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _diagonal(factors: Factors) -> NDArray[np.floating]:
    """Give the diagonal of G: of one matrix, or of Xᵀ and X."""
    if len(factors) == 1:
        return np.asarray(factors[0].diagonal())
    return np.asarray(factors[-1].power(2).sum(axis=0))


def _cover(change: sparse.csr_array, first: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give items such that every entry lies in the row or the column of one, from some on."""
    chosen = np.zeros(change.shape[0], dtype=np.bool_)
    chosen[first] = True
    entries = change.tocoo()
    far = ~chosen[entries.row] & ~chosen[entries.col] & (np.abs(entries.data) > _LEAST)
    chosen[entries.row[far]] = True
    return np.flatnonzero(chosen)


def remade(
    weights: ItemWeights,
    turn: Turn,
    change: GramChange,
    *,
    kept: int,
    scales: tuple[Floats, Floats] | None = None,
) -> ItemWeights:
    """Put new weights in place of those that the change moves noticeably.

    Args:
        weights: of the whole catalogue, -P_ji / P_ii times a scale of each item i, 0 at j = i.
        turn: what happened.
        change: what it does to P.
        kept: strongest weights kept for each item.
        scales: of the items before and after, float32 (N,) each; None is 1.
    """
    ones = np.ones(len(turn.known), dtype=np.float32)
    before, after = (ones, ones) if scales is None else scales
    space = np.flatnonzero(turn.space)
    items = np.flatnonzero(_moved(weights.matrix, change, space, before) & turn.known)
    old = sparse.csr_array(weights.matrix[:, items][space].T)
    places = np.searchsorted(space, items)
    found = []
    for start in range(0, len(items), _BLOCK):
        block = slice(start, start + _BLOCK)
        rows = old[block].toarray() / before[items[block]][:, None]
        new = change.on_weights(rows, places[block]) * after[items[block]][:, None]
        found.append(strongest(new, kept))
    columns = sparse.csr_array(sparse.hstack(found))
    return weights.with_columns(items, columns, rows=space, known=turn.known)


def _moved(
    matrix: sparse.csr_array, change: GramChange, space: NDArray[np.int64], scale: Floats
) -> Mask:
    """Say of which items the weights change noticeably, bool (N,): where R times a column does."""
    moved = np.zeros(len(scale), dtype=np.bool_)
    moved[space[change.items]] = True
    if len(change.items) == len(space):
        return moved
    parts = (change.right.data, space[change.right.indices], change.right.indptr)
    right = sparse.csr_array(parts, shape=(change.right.shape[0], len(scale)))
    spoken = sparse.csr_array(right @ matrix)
    spoken.data /= scale[spoken.indices]
    noticed: Mask = abs(right - spoken).max(axis=0).toarray().ravel() > _NOTICED
    return moved | noticed
