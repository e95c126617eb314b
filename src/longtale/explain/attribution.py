"""To whom a score is owed: Shapley values of the sources, leave-one-out over the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows, segment_rows
from longtale.data.query import Queries
from longtale.explain.standing import Stand, Standing

Value = Callable[[Mask], NDArray[np.floating]]
"""Gives the worth of P coalitions, (P,), from who is in each of them, bool (P, S)."""


@dataclass(frozen=True, eq=False)
class Shapley:
    """What each of S players adds to the worth of all.

    Args:
        values: float64 (S,), which sum to the worth of all less that of none.
        errors: float64 (S,), standard error of each; 0 where nothing was drawn.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]


def sampled_shapley(
    value: Value, n_players: int, *, n_permutations: int, rng: np.random.Generator
) -> Shapley:
    """Estimate the Shapley values of a game whose worth is no sum.

        φ_s = mean over orders of [v(those before s, and s) - v(those before s)]

    Where the worth is a sum over players, as a blended score is one over its sources, φ_s is the
    player's own part and nothing need be drawn. A ranker on top makes it no sum: what one source is
    worth depends on which others speak. Players enter in drawn orders; the mean of what each adds
    is unbiased, and its standard error falls with the root of their number. In each order the parts
    sum to v(all) - v(none), so the estimates do, too.

    Source: Castro, Gómez and Tejada 2009, "Polynomial calculation of the Shapley value based on
    sampling".

    Args:
        value: the game; it is asked once, with each coalition once.
        n_players: S.
        n_permutations: how many orders are drawn, at least 2.
        rng: draws them.

    Example:
        >>> def both_needed(coalitions):
        ...     return coalitions.all(axis=1).astype(float)
        >>> rng = np.random.default_rng(0)
        >>> sampled_shapley(both_needed, 2, n_permutations=400, rng=rng).values.round(1).tolist()
        [0.5, 0.5]
    """
    orders = rng.permuted(np.tile(np.arange(n_players), (n_permutations, 1)), axis=1)
    entered = np.argsort(orders, axis=1)  # (P, S): when each player came
    coalitions = entered[:, None, :] < np.arange(n_players + 1)[None, :, None]  # (P, S + 1, S)
    different, places = np.unique(coalitions.reshape(-1, n_players), axis=0, return_inverse=True)
    worth = np.asarray(value(different), dtype=np.float64)[places.ravel()]
    added = np.diff(worth.reshape(n_permutations, n_players + 1), axis=1)  # by turn
    parts = np.take_along_axis(added, entered, axis=1)  # (P, S), by player
    errors = parts.std(axis=0, ddof=1) / np.sqrt(n_permutations)
    return Shapley(parts.mean(axis=0), errors)


def without(queries: Queries, gone: Sequence[Rows]) -> Queries:
    """Give one request again without some items of its history, (B,) for B sets of items.

    All events with these items go; what is left keeps its order and times.

    Example:
        >>> without(Queries.of([[5, 6, 5]]), [np.array([]), np.array([5])]).histories.items.tolist()
        [5, 6, 5, 6]
    """
    batch = queries.take(np.zeros(len(gone), dtype=np.int64))
    owners, items = segment_rows(batch.histories.offsets), batch.histories.items
    kept = np.ones(len(items), dtype=np.bool_)
    for row, absent in enumerate(gone):
        kept[owners == row] = ~np.isin(items[owners == row], absent)
    return replace(batch, histories=batch.histories.where(kept))


def has_words(queries: Queries) -> bool:
    """Say whether anything was said in words."""
    return queries.text_vectors is not None and bool(queries.text_vectors.any())


def wordless(queries: Queries) -> Queries:
    """Give requests as if nothing had been said in words; a zero row is nothing."""
    said = queries.text_vectors
    return queries if said is None else replace(queries, text_vectors=np.zeros_like(said))


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Where an item stands, and where it would without each of V things.

    Args:
        base: as it was asked, a batch of one.
        others: without each of them, a batch of V.
    """

    base: Standing
    others: Standing

    @property
    def drops(self) -> Floats:
        """How far each lifts the item above the mean of the candidates, float32 (V,)."""
        return self.base.values - self.others.values

    @property
    def drops_by_source(self) -> Floats:
        """What each of these comes to in each part of the score, float32 (S, V)."""
        return self.base.shares - self.others.shares


def leave_one_out(stand: Stand, queries: Queries, items: Rows) -> LeftOut:
    """Ask again without each item of the history, and without the words: one batch.

    What an item of the history does is taken for what changes when it is not there: the item's
    distance to the mean of the candidates (see `Standing`), so that what moves all candidates alike
    does nothing. All effects are held: the order and length of the history, the trust that the gate
    has in each source, the scale of the scores. The items that are left out stay excluded: they
    were seen, and must not take the place of what is explained.

    Two items that say the same stand in for each other, so that each alone does little:
    `counterfactual` looks at several at once.

    Args:
        stand: asks where the item stands.
        queries: a batch of one.
        items: T different items of the history.

    Returns:
        without each of the T items, and last, where anything was said, without the words.
    """
    batch = without(queries, [items[:0], *items[:, None]])
    if has_words(queries):
        batch = Queries.concatenated([batch, wordless(queries)])
    found = stand(batch)
    return LeftOut(_taken(found, slice(0, 1)), _taken(found, slice(1, None)))


def _taken(standing: Standing, chosen: slice) -> Standing:
    arrays = {name: part for name, part in vars(standing).items() if name != "sources"}
    return Standing(standing.sources, **{name: part[..., chosen] for name, part in arrays.items()})
