"""A penalty on the scores of groups that stand in more places than people choose them for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from longtale.arrays import Floats, Mask, top_k
from longtale.data.interactions import Histories
from longtale.errors import DataError, SettingsError
from longtale.language.bias.groups import Groups, checked

_ROUNDS = 3
"""An item may be in several groups: what was found for one moves the others a little."""
_HALVINGS = 16


@dataclass(frozen=True, eq=False)
class Penalty:
    """A fitted penalty: from each score is taken what the groups of its item are fined.

    Args:
        groups: by name, bool (N,).
        fines: of each, in the unit of the scores; below 0 lifts the group.
    """

    groups: Groups
    fines: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        scores: Floats,
        targets: Histories,
        groups: Groups,
        *,
        strength: float = 1.0,
        k: int = 10,
    ) -> Self:
        """Find the fines with which each group has the part of the places that it is chosen for.

        Of requests whose answers are known; others are to be judged with it. A group's part of the
        first k places falls as its fine grows, so it is found by bisection, group after group. One
        number for a whole group keeps the order within it, and what it costs is told by `price`.

        Args:
            scores: float32 (B, N); NaN takes no part.
            targets: what each of the B requests chose.
            groups: by name, bool (N,).
            strength: 1 takes all that was found, 0 nothing; between, bias buys accuracy.
            k: how many places count.

        Raises:
            DataError: a group is empty or everything, or nothing was chosen.
            SettingsError: the strength is not between 0 and 1.

        Example:
            >>> scores = np.float32([[3, 1, 2, 0], [2.5, 0, 2, 1]])
            >>> large = {"large": np.array([True, True, False, False])}
            >>> penalty = Penalty.fit(scores, Histories.of([[0], [2]]), large, k=1)
            >>> round(penalty.fines["large"], 2)
            0.5
        """
        if not 0 <= strength <= 1:
            raise SettingsError(f"strength is {strength}; expected 0 to 1")
        if not len(targets.items):
            raise DataError("nothing was chosen; a penalty needs requests whose answers are known")
        known = checked(groups, scores.shape[1])
        farthest = float(np.nanmax(scores) - np.nanmin(scores))
        fined, fines = scores, dict.fromkeys(known, 0.0)
        for _ in range(_ROUNDS):
            for name, mask in known.items():
                due = float(mask[targets.items].mean())
                more = _fine(fined, mask, due, farthest, k)
                fines[name] += more
                fined = _fined(fined, mask, more)
        return cls(known, {name: strength * fine for name, fine in fines.items()})

    def apply(self, scores: Floats) -> Floats:
        """Give the scores with the penalty, float32 (B, N)."""
        for name, mask in self.groups.items():
            scores = _fined(scores, mask, self.fines[name])
        return scores


def _fine(scores: Floats, mask: Mask, due: float, farthest: float, k: int) -> float:
    low, high = -farthest, farthest
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _exposure(_fined(scores, mask, middle), mask, k) > due:
            low = middle
        else:
            high = middle
    return high


def _exposure(scores: Floats, mask: Mask, k: int) -> float:
    """Give the group's part of the first k places."""
    shown = top_k(scores, k)[0]
    return float(mask[shown[shown >= 0]].mean())


def _fined(scores: Floats, mask: Mask, fine: float) -> Floats:
    return np.asarray(scores - np.float32(fine) * mask.astype(np.float32), dtype=np.float32)
