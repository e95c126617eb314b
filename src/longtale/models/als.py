"""iALS: matrix factorisation for implicit feedback.

Hu, Koren and Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import linalg, sparse

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import State
from longtale.data.arrivals import Arrivals
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.models.interest import interest, silent
from longtale.schema import Serves
from longtale.settings import Settings

_SAMPLE = 64
"""How many users at most stand for all who touched an item."""


class ALSSettings(Settings):
    """How the factors are found."""

    factors: int = Field(default=128, ge=1)
    """Width of the users' and the items' vectors."""
    regularization: float = Field(default=10.0, gt=0)
    """How strongly the vectors are held small."""
    alpha: float = Field(default=10.0, gt=0)
    """How much more an event counts than an absence."""
    iterations: int = Field(default=15, ge=1)
    """How often users and items are solved in turn."""
    seed: int = Field(default=0, ge=0)
    """Decides where the search begins."""
    half_life: float | None = Field(default=3.0, gt=0)
    """How many events later an event in the asker's history counts half; none counts all alike."""


@dataclass(frozen=True, eq=False)
class ALS:
    """Scores x_u·y_i; the asker's vector x_u is solved from the history in the request.

    x_u = (YᵀY + Σ_j (c_j - 1) y_j y_jᵀ + λI)⁻¹ Σ_j c_j y_j with c_j = α · weight of item j: what
    training would give a user with this history. Weights of events count.

    `updated` solves one step of the same alternation for those who are concerned. The users of the
    touched items are folded in, which changes XᵀX by what the users with new events have gained.
    Then each touched item i gets y_i + A⁻¹r with A = XᵀX + λI + Σ_u (c_u - 1) x_u x_uᵀ. An item of
    few users is solved from all of them, r = Σ_u c_u x_u - A y_i. Of one with many, a sample
    stands for the sum in A, and the residual counts new events only, r = Σ_u (c_u - c'_u)
    (1 - x_u·y_i) x_u and c_u x_u - (c_u - 1)(x_u·y_i) x_u for users new to it: a sampling error
    then changes how far y_i moves, not where it stands.

    Args:
        settings: what it was fitted with.
        item_factors: float32 (N, F).
        gram: float32 (F, F), YᵀY + λI.
        user_gram: float32 (F, F), XᵀX + λI.
        known: bool (N,), items with events in training.
    """

    name: ClassVar[str] = "als"
    serves: ClassVar[Serves] = Serves.HISTORY

    settings: ALSSettings
    item_factors: Floats
    gram: Floats
    user_gram: Floats
    known: Mask

    @classmethod
    def fit(cls, dataset: Dataset, settings: ALSSettings) -> Self:
        """Find the factors."""
        users, items = _factors(sparse.csr_matrix(dataset.matrix()), settings)
        gram, user_gram = (_gram(side, settings.regularization) for side in (items, users))
        return cls(settings, items, gram, user_gram, dataset.item_counts > 0)

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Solve again for the items that were touched, and for the users who touch them."""
        n_new = dataset.n_items - len(self.item_factors)
        none = np.zeros((n_new, len(self.gram)), dtype=np.float32)
        factors = np.concatenate([self.item_factors, none])
        wide = replace(self, item_factors=factors, known=dataset.item_counts > 0)
        found = events.liked
        if not len(found):
            return wide
        step = _Step.of(wide, dataset, found)
        for item in np.unique(found.items):
            factors[item] = step.solved(int(item), factors[item])
        gram = _gram(factors, self.settings.regularization)
        return replace(wide, gram=gram, user_gram=step.user_gram)

    def scores(self, queries: Queries) -> Floats:
        half_life = self.settings.half_life
        interests = interest(queries.histories, self.known, binary=False, half_life=half_life)
        return silent(self.user_factors(interests) @ self._columns, interests, self.known)

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.item_factors)

    def scores_at(self, queries: Queries, items: Rows) -> Floats:
        half_life = self.settings.half_life
        interests = interest(queries.histories, self.known, binary=False, half_life=half_life)
        scores = self.user_factors(interests) @ self.item_factors[items].T
        return silent(scores, interests, self.known[items])

    @cached_property
    def _columns(self) -> Floats:
        """The items' vectors as columns, float32 (F, N): products with these take half the time."""
        return np.ascontiguousarray(self.item_factors.T)

    def user_factors(self, interests: sparse.csr_array) -> Floats:
        """Solve for the vectors of users: float32 (B, F)."""
        factors = np.zeros((interests.shape[0], len(self.gram)), dtype=np.float32)
        for row, factor in enumerate(factors):
            span = slice(interests.indptr[row], interests.indptr[row + 1])
            confidences = np.float32(self.settings.alpha) * interests.data[span]
            liked = self.item_factors[interests.indices[span]]  # (T, F)
            left = self.gram + (liked * (confidences - 1)[:, None]).T @ liked
            _, factor[:], _ = linalg.lapack.sposv(left, confidences @ liked)
        return factors

    def state(self) -> State:
        return {
            "item_factors": self.item_factors,
            "gram": self.gram,
            "user_gram": self.user_gram,
            "known": self.known,
        }

    @classmethod
    def restore(cls, settings: ALSSettings, state: State) -> Self:
        known = np.asarray(state["known"], dtype=np.bool_)
        factors, gram, user_gram = (
            np.asarray(state[name], dtype=np.float32)
            for name in ("item_factors", "gram", "user_gram")
        )
        return cls(settings, factors, gram, user_gram, known)


@dataclass(frozen=True, eq=False)
class _Step:
    """What it takes to solve again for the items that new events touch.

    Args:
        settings: the model's.
        users: int (V,), rows of those who are folded in, sorted.
        vectors: float32 (V, F), theirs.
        user_gram: float32 (F, F), XᵀX + λI with the new events.
        now: float32 (U, N), interest with the new events.
        gained: float32 (U, N), what the new events add to it.
    """

    settings: ALSSettings
    users: NDArray[np.integer]
    vectors: Floats
    user_gram: Floats
    now: sparse.csc_array
    gained: sparse.csc_array

    @classmethod
    def of(cls, model: ALS, dataset: Dataset, events: Arrivals) -> Self:
        """Fold in who is concerned."""
        matrix = dataset.matrix()
        now = sparse.csc_array(matrix)
        gained = sparse.csr_array(
            (events.weights, (events.users, events.items)), shape=matrix.shape
        )
        active = np.unique(events.users)
        samples = [_asked(now, item) for item in np.unique(events.items)]
        users = np.unique(np.concatenate([active, *samples]))
        vectors = model.user_factors(matrix[users])
        before = matrix[active] - gained[active]
        before.data[before.data < 1e-4 * model.settings.alpha**-1] = 0  # what rounding left
        before.eliminate_zeros()
        old, new = model.user_factors(before), vectors[np.searchsorted(users, active)]
        user_gram = model.user_gram + new.T @ new - old.T @ old
        return cls(model.settings, users, vectors, user_gram, now, sparse.csc_array(gained))

    def solved(self, item: int, factor: Floats) -> Floats:
        """Give the item's new vector, float32 (F,).

        Args:
            item: its row.
            factor: float32 (F,), the old one.
        """
        users, interest = _column(self.now, item)
        asked = _asked(self.now, item)
        own = self.vectors[np.searchsorted(self.users, asked)]  # (V', F)
        alpha = np.float32(self.settings.alpha)
        confidences = alpha * interest[np.searchsorted(users, asked)]
        share = np.float32(len(users) / len(asked))
        left = self.user_gram + share * (own * (confidences - 1)[:, None]).T @ own
        if len(asked) == len(users):
            return linalg.lapack.sposv(left, confidences @ own)[1]
        late, more = _column(self.gained, item)
        own = self.vectors[np.searchsorted(self.users, late)]
        after, more = alpha * interest[np.searchsorted(users, late)], alpha * more
        said = own @ factor
        is_first = after - more < 1e-4
        pull = np.where(is_first, after - (after - 1) * said, more * (1 - said))
        return factor + linalg.lapack.sposv(left, pull @ own)[1]


def _column(matrix: sparse.csc_array, column: int) -> tuple[NDArray[np.integer], Floats]:
    span = slice(matrix.indptr[column], matrix.indptr[column + 1])
    return matrix.indices[span], matrix.data[span]


def _asked(interest: sparse.csc_array, item: int) -> NDArray[np.integer]:
    """Give the users who stand for all who touched an item, evenly spread over their rows."""
    users, _ = _column(interest, item)
    n = min(len(users), _SAMPLE)
    return users[np.arange(n) * len(users) // n]


def _gram(factors: Floats, regularization: float) -> Floats:
    gram = factors.T @ factors
    gram[np.diag_indices_from(gram)] += np.float32(regularization)
    return gram


def _factors(matrix: sparse.csr_matrix, settings: ALSSettings) -> tuple[Floats, Floats]:
    """Give the vectors of users and of items."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    # `implicit` has threads of its own; BLAS's under them would make it many times slower.
    with threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.alpha,
            iterations=settings.iterations,
            random_state=settings.seed,
        )
        model.fit(matrix, show_progress=False)
    return model.user_factors, model.item_factors
