"""How long each rung of the ladder usually takes, and which one fits a budget of time."""

from __future__ import annotations

from enum import IntEnum

_WEIGHT_OF_LAST = 0.1  # of the last answer in the usual time of a rung


class Level(IntEnum):
    """The rungs of the ladder of fallbacks, best first."""

    FULL = 0
    QUICK = 1
    POPULAR = 2


class Pace:
    """How long each rung of the ladder usually takes, and which one fits a budget."""

    def __init__(self) -> None:
        self._usual_ms: dict[Level, float] = {}

    def best_within(self, budget_ms: float | None) -> Level:
        """Give the best rung that usually answers in time; one not tried yet is hoped to."""
        if budget_ms is None:
            return Level.FULL
        fitting = (level for level in Level if self._usual_ms.get(level, 0.0) <= budget_ms)
        return next(fitting, Level.POPULAR)

    def took(self, level: Level, ms: float) -> None:
        """Learn from one answer."""
        usual = self._usual_ms.get(level, ms)
        self._usual_ms[level] = usual + _WEIGHT_OF_LAST * (ms - usual)
