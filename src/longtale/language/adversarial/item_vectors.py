"""Item vectors that still rank well when each is changed a little for the worse: APR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from longtale.arrays import Floats, Rows
from longtale.errors import DataError
from longtale.settings import Settings

_ROUNDS = 8
"""How often a negative that the user did choose is drawn again."""

_TINY = np.float32(1e-8)


class APRSettings(Settings):
    """How item vectors are trained against their worst small change."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the choices."""
    n_plain: int = Field(default=10, ge=0)
    """First passes without the adversary, who does best against vectors that know something."""
    epsilon: float = Field(default=0.5, ge=0)
    """Length of the change of each item's vector."""
    strength: float = Field(default=1.0, ge=0)
    """What the loss under the change counts; 0 is plain BPR."""
    l2: float = Field(default=1e-4, ge=0)
    """How strongly vectors are held short."""
    learning_rate: float = Field(default=0.05, gt=0)
    """Of Adagrad."""
    batch_size: int = Field(default=512, ge=1)
    """Choices in a step."""
    learn_users: bool = True
    """Whether users' vectors learn too; without it the scorer is linear in given profiles."""


@dataclass(frozen=True, eq=False)
class Factors:
    """Vectors whose products are scores.

    Args:
        users: float32 (U, D).
        items: float32 (N, D).
    """

    users: Floats
    items: Floats

    @classmethod
    def drawn(cls, n_users: int, n_items: int, dim: int, rng: np.random.Generator) -> Self:
        """Draw short vectors to start from."""
        sizes = ((n_users, dim), (n_items, dim))
        users, items = (rng.normal(0, 0.1, size).astype(np.float32) for size in sizes)
        return cls(users, items)


def bpr_slopes(factors: Factors, triples: Rows) -> tuple[float, Factors]:
    """Give the loss of Bayesian personalised ranking and its slopes.

        L = -mean ln σ(x_ui - x_uj),    x_ui = p_u·q_i

    for users u who chose i and not j (Rendle et al. 2009, arXiv:1205.2618).

    Args:
        factors: p (U, D) and q (N, D).
        triples: int32 (n, 3), user, chosen item, other item.

    Returns:
        L, and dL/dp and dL/dq in the place of p and q.
    """
    u, i, j = triples.T
    p, gap = factors.users[u], factors.items[i] - factors.items[j]  # (n, D)
    margins = np.einsum("nd,nd->n", p, gap)
    weights = (-expit(-margins) / len(triples))[:, None].astype(np.float32)
    users, items = np.zeros_like(factors.users), np.zeros_like(factors.items)
    np.add.at(users, u, weights * gap)
    np.add.at(items, i, weights * p)
    np.add.at(items, j, -weights * p)
    return float(np.logaddexp(0, -margins).mean()), Factors(users, items)


def worst_change(slope: Floats, epsilon: float) -> Floats:
    """Give each row's change of length ε that raises the loss most, as far as slopes tell.

    Δ = ε Γ / |Γ|, row by row, with Γ the slope of the loss; rows without a slope stay.
    """
    lengths = np.linalg.norm(slope, axis=1, keepdims=True)
    unit = np.divide(slope, lengths, out=np.zeros_like(slope), where=lengths > 0)
    return np.float32(epsilon) * unit


def harden_items(
    start: Factors, chosen: Rows, settings: APRSettings, rng: np.random.Generator
) -> Factors:
    """Train vectors by adversarial personalised ranking.

        min over p, q of  L(p, q) + strength · L(p, q + Δ) + l2/2 (|p|² + |q|²)

    with Δ the worst change of the item vectors of each step (He et al. 2018, arXiv:1808.03908, who
    change users' vectors too). Text vectors as a start, or fixed profiles made of them, make it a
    training of these.

    Args:
        start: vectors to begin with, which are left as they are.
        chosen: int32 (n, 2), users and the items they chose.
        settings: how to train.
        rng: order of the choices, and the items that they are compared with.

    Raises:
        DataError: nothing was chosen, or there are fewer than two items.
    """
    if not len(chosen) or len(start.items) < 2:
        raise DataError(
            f"{len(chosen)} choices among {len(start.items)} items; ranking needs at least one "
            "choice and two items"
        )
    users, items = start.users.copy(), start.items.copy()
    seen = Factors(np.zeros_like(users), np.zeros_like(items))
    for epoch in range(settings.epochs):
        strength = settings.strength if epoch >= settings.n_plain else 0.0
        order = rng.permutation(len(chosen))
        for first in range(0, len(order), settings.batch_size):
            own = chosen[order[first : first + settings.batch_size]]
            triples = _with_others(own, chosen, len(items), rng)
            slopes = _slopes(Factors(users, items), triples, settings, strength)
            _step(items, slopes.items, seen.items, settings.learning_rate)
            if settings.learn_users:
                _step(users, slopes.users, seen.users, settings.learning_rate)
    return Factors(users, items)


def _slopes(factors: Factors, triples: Rows, settings: APRSettings, strength: float) -> Factors:
    _, plain = bpr_slopes(factors, triples)
    users = plain.users + np.float32(settings.l2) * factors.users
    items = plain.items + np.float32(settings.l2) * factors.items
    if strength == 0:
        return Factors(users, items)
    change = worst_change(plain.items, settings.epsilon)
    _, worse = bpr_slopes(Factors(factors.users, factors.items + change), triples)
    weight = np.float32(strength)
    return Factors(users + weight * worse.users, items + weight * worse.items)


def _step(vectors: Floats, slope: Floats, seen: Floats, rate: float) -> None:
    """Make one step of Adagrad in place; `seen` holds the squares of all slopes so far."""
    seen += slope**2
    vectors -= np.float32(rate) * slope / np.sqrt(seen + _TINY)


def _with_others(own: Rows, chosen: Rows, n_items: int, rng: np.random.Generator) -> Rows:
    """Put an item beside each choice that its user did not choose, as far as a few draws find."""
    taken = _keys(chosen[:, 0], chosen[:, 1], n_items)
    others = rng.integers(n_items, size=len(own))
    for _ in range(_ROUNDS):
        again = np.flatnonzero(np.isin(_keys(own[:, 0], others, n_items), taken))
        if not len(again):
            break
        others[again] = rng.integers(n_items, size=len(again))
    return np.column_stack([own, others]).astype(np.int32)


def _keys(users: Rows, items: NDArray[np.integer], n_items: int) -> NDArray[np.int64]:
    return users.astype(np.int64) * n_items + items
