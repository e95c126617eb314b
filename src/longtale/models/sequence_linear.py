"""What comes next, by a linear model in closed form.

Choi et al. 2021, "Session-aware Linear Item-Item Models for Session-based Recommendation" (SLIST),
arXiv:2103.16104; Park et al. 2025, "Temporal Linear Item-Item Model for Sequential
Recommendation" (TALE), arXiv:2412.07382.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log2
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from longtale.arrays import DAY, Floats, Mask, Rows, compact
from longtale.contracts import State
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.models.closed_form import gram_inverse, learned_items, strongest, widened
from longtale.models.gram_change import solved
from longtale.models.linear import ItemWeights
from longtale.models.turn import Turn
from longtale.schema import Serves
from longtale.settings import Settings

_LEAST = 0.01
"""Events whose weight is smaller than this are left out: they cost time and say nothing."""
_BATCH = 200_000  # events; pairing these takes about 200 MB
_DENSE = 0.02  # above this share of stored entries a dense product is the quicker one


class SequenceLinearSettings(Settings):
    """How the model of what comes next is made.

    The defaults were chosen on validation users of three data sets, two sparse and one dense,
    which agreed: short memories suit long histories, too, where the next event is asked for.
    """

    l2: float = Field(default=100.0, gt=0)
    """Strength of regularisation."""
    past_half_life: float = Field(default=2.0, gt=0, le=100)
    """Training: how many events further back an event of the past counts half."""
    next_half_life: float = Field(default=0.5, gt=0, le=100)
    """Training: how many events later an event counts half as what comes next."""
    gap_half_life_days: float | None = Field(default=None, gt=0)
    """Training: after how many days an event of the past counts half; none goes by order only.
    Without effect where events carry no times."""
    window_days: float | None = Field(default=180.0, gt=0)
    """Training: events that lie further apart are not brought together; none has no such limit.
    Without effect where events carry no times."""
    half_life: float | None = Field(default=2.0, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""
    tail: float = Field(default=0.0, ge=0)
    """How far rarely touched items are lifted (see `propensity_weights`); 0 not at all."""
    max_items: int = Field(default=20_000, ge=2)
    """Only the most popular items up to this number take part: time grows with the cube."""
    kept: int = Field(default=500, ge=1)
    """Strongest weights kept for each item."""


@dataclass(frozen=True, eq=False)
class SequenceLinear:
    """Scores x·B with B = argmin ‖Y - SB‖² + λ‖B‖², from the past to what came next.

    Each event of each history but the last is one row. S holds the past up to it, the event
    itself with weight 1, each one before it with 2^(-1/h) of the weight of the one behind it;
    Y holds what came after it, the next event with weight 1, later ones with less. In closed form
    B = (SᵀS + λI)⁻¹ SᵀY. x is the asker's history with the same kind of decay.

    `updated` solves for the columns of the items that were touched, from all events; these are
    within about 0.3 % of what a fit gives. Left as they are: all other columns, which learn from a
    fit that once more their item was not what came next. After ten batches of 100 events on 12,101
    items (Amazon Beauty) 99.5 % of a fit's ten best were found, nDCG@10 .0657 for .0656, in 2 % of
    its time.
    """

    name: ClassVar[str] = "sequence_linear"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: SequenceLinearSettings
    weights: ItemWeights

    @classmethod
    def fit(cls, dataset: Dataset, settings: SequenceLinearSettings) -> Self:
        """Solve for the weights; items without any event take no part and get no score."""
        known = learned_items(dataset.item_counts, settings.max_items)
        histories = dataset.interactions.histories.where(known[dataset.interactions.items])
        gram, moves = (part[known][:, known] for part in _sums(histories, len(known), settings))
        transposed = _product(moves, gram_inverse(gram, settings.l2))  # Bᵀ
        matrix = widened(strongest(transposed, settings.kept), known)
        learned = ItemWeights(matrix, known).towards_tail(dataset.item_counts, settings.tail)
        return cls(settings, learned)

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Solve again for the items that came next, from all that ever went before them."""
        settings = self.settings
        turn = Turn.of(dataset, events, settings.max_items)
        weights = self.weights.widened(dataset.n_items)
        known, new = turn.known, turn.new[turn.known[turn.new]]
        if not len(new):
            return replace(self, weights=weights)
        histories = dataset.interactions.histories.where(known[dataset.interactions.items])
        gram, moves = _sums(histories, len(known), settings)
        wanted = moves[new][:, known].T.toarray()
        transposed = solved((gram[known][:, known],), wanted, settings.l2).T
        plain = weights.without_tail(turn.counts, settings.tail).with_columns(
            new, strongest(transposed, settings.kept), rows=np.flatnonzero(known), known=known
        )
        return replace(self, weights=plain.towards_tail(dataset.item_counts, settings.tail))

    def scores(self, queries: Queries) -> Floats:
        half_life = self.settings.half_life
        return self.weights.scores(queries.histories, binary=True, half_life=half_life)

    def evidence(self, history: Rows, items: Rows) -> Floats:
        return self.weights.evidence(history, items)

    def state(self) -> State:
        return self.weights.state()

    @classmethod
    def restore(cls, settings: SequenceLinearSettings, state: State) -> Self:
        return cls(settings, ItemWeights.restore(state))


def past_and_next(
    histories: Histories, n_items: int, settings: SequenceLinearSettings
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give S and Y, float32 (n, N) each: one row for each event, empty where nothing follows."""
    days = settings.gap_half_life_days
    decay_of_gap = None if days is None else days * DAY
    past = _Pairs.back(histories, settings.past_half_life).within(settings.window_days)
    following = _Pairs.ahead(histories, settings.next_half_life).within(settings.window_days)
    has_next = np.zeros(len(histories.items), dtype=np.bool_)
    has_next[following.rows] = True
    return (
        past.faded(decay_of_gap).where(has_next[past.rows]).matrix(n_items),
        following.matrix(n_items),
    )


def _sums(
    histories: Histories, n_items: int, settings: SequenceLinearSettings
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give SᵀS and YᵀS, float32 (N, N) each, added up over batches of users to save memory."""
    gram = moves = sparse.csr_array((n_items, n_items), dtype=np.float32)
    batches = histories.offsets[:-1] // _BATCH
    for batch in np.unique(batches):
        part = histories.take(np.flatnonzero(batches == batch))
        past, following = past_and_next(part, n_items, settings)
        gram = sparse.csr_array(gram + past.T @ past)
        moves = sparse.csr_array(moves + following.T @ past)
    return gram, moves


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of events of one user: positions (n,) of both, and what the pair weighs."""

    histories: Histories
    rows: NDArray[np.int64]
    others: NDArray[np.int64]
    weights: Floats

    @classmethod
    def back(cls, histories: Histories, half_life: float) -> Self:
        """Pair each event with itself and those before it, as far as they weigh anything."""
        return cls._of(histories, half_life, first=0, step=-1)

    @classmethod
    def ahead(cls, histories: Histories, half_life: float) -> Self:
        """Pair each event with those after it, the first of them with weight 1."""
        return cls._of(histories, half_life, first=1, step=1)

    @classmethod
    def _of(cls, histories: Histories, half_life: float, *, first: int, step: int) -> Self:
        starts = np.repeat(histories.offsets[:-1], histories.lengths)
        ends = np.repeat(histories.offsets[1:], histories.lengths)
        events = np.arange(len(histories.items))
        rows, others, weights = [events[:0]], [events[:0]], [np.empty(0, dtype=np.float32)]
        for lag in range(ceil(half_life * log2(1 / _LEAST))):
            found = events + step * (first + lag)
            inside = np.flatnonzero((found >= starts) & (found < ends))
            rows.append(inside)
            others.append(found[inside])
            weights.append(np.full(len(inside), 2 ** (-lag / half_life), dtype=np.float32))
        return cls(histories, np.concatenate(rows), np.concatenate(others), np.concatenate(weights))

    def within(self, days: float | None) -> Self:
        """Keep pairs that lie at most so many days apart."""
        times = self.histories.times
        if days is None or times is None:
            return self
        return self.where(np.abs(times[self.rows] - times[self.others]) <= days * DAY)

    def faded(self, half_life: float | None) -> Self:
        """Let a pair weigh half for each half-life (microseconds) that lies between the two."""
        times = self.histories.times
        if half_life is None or times is None:
            return self
        gaps = np.abs(times[self.rows] - times[self.others])
        weights = self.weights * np.exp2(-gaps / half_life).astype(np.float32)
        return type(self)(self.histories, self.rows, self.others, weights)

    def where(self, kept: Mask) -> Self:
        """Keep the chosen pairs, bool (n,)."""
        return type(self)(self.histories, self.rows[kept], self.others[kept], self.weights[kept])

    def matrix(self, n_items: int) -> sparse.csr_array:
        """Give float32 (n events, N): the weights at the row of one and the item of the other."""
        shape = (len(self.histories.items), n_items)
        items = self.histories.items[self.others]
        placed = sparse.coo_array((self.weights, (self.rows, items)), shape=shape)
        return compact(sparse.csr_array(placed))


def _product(left: sparse.csr_array, right: Floats) -> Floats:
    is_dense = left.nnz > _DENSE * left.shape[0] * left.shape[1]
    product: Floats = (left.toarray() @ right) if is_dense else left @ right
    return product
