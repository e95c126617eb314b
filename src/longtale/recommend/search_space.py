"""Which settings are searched, and between what bounds: one table for all retrievers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from longtale.data.splits.split import ProtocolName
from longtale.recommend.settings import RetrieverName
from longtale.settings import Settings

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = bool | int | float | str | None

_DIGITS = 3
"""Digits that a number which was found is given with: more say nothing."""


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Args:
        name: whose setting.
        key: the setting; one within a section has a dot.
        low: least value that is tried.
        high: largest value that is tried.
        log: whether equal factors are as far apart, rather than equal differences.
        whole: whether only whole numbers are tried.
        or_none: whether none is tried too.
        choices: these values instead of a range.
        needs_times: whether it has an effect only where events have times.
    """

    name: RetrieverName
    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = True
    whole: bool = False
    or_none: bool = False
    choices: tuple[Value, ...] = ()
    needs_times: bool = False

    def holding(self, own: Value) -> Dimension:
        """Give it wide enough for the present value."""
        if self.choices:
            return self if own in self.choices else replace(self, choices=(*self.choices, own))
        if own is None:
            return replace(self, or_none=True)
        return replace(self, low=min(self.low, float(own)), high=max(self.high, float(own)))

    def suggested(self, trial: Trial, own: Value) -> Value:
        """Let a trial take a value; only the present one, `own`, may have many digits."""
        if self.choices:
            chosen: Value = trial.suggest_categorical(self.key, self.choices)
            return chosen
        if self.or_none and trial.suggest_categorical(self._is_none, (True, False)):
            return None
        if self.whole:
            return int(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        value = float(trial.suggest_float(self.key, self.low, self.high, log=self.log))
        return value if value == own else float(f"{value:.{_DIGITS}g}")

    def asked_for(self, own: Value) -> Mapping[str, Value]:
        """Give what makes a trial take one value."""
        if self.choices:
            return {self.key: own}
        if own is None:
            return {self._is_none: True}
        return {self.key: own, self._is_none: False} if self.or_none else {self.key: own}

    @property
    def _is_none(self) -> str:
        return f"{self.key} is none"


_HALF_LIFE = (0.3, 100.0)
SPACES: Sequence[Dimension] = (
    Dimension("rising", "half_life_days", 0.5, 1000.0),
    Dimension("item_knn", "neighbours", 10, 1000, whole=True),
    Dimension("item_knn", "k1", 0.0, 5.0, log=False),
    Dimension("item_knn", "b", 0.0, 1.0, log=False),
    Dimension("item_knn", "half_life", *_HALF_LIFE),
    Dimension("user_knn", "neighbours", 10, 1000, whole=True),
    Dimension("user_knn", "idf", 0.0, 3.0, log=False),
    Dimension("user_knn", "sharpness", 0.3, 5.0),
    Dimension("user_knn", "half_life", *_HALF_LIFE),
    Dimension("ease", "l2", 1.0, 5000.0),
    Dimension("ease", "half_life", *_HALF_LIFE),
    Dimension("ease", "nearness", 0.5, 100.0, or_none=True),
    Dimension("ease", "tail", 0.0, 1.0, log=False),
    Dimension("text_ease", "l2", 1.0, 2000.0),
    Dimension("text_ease", "text", 1.0, 2000.0),
    Dimension("text_ease", "text_l2", 0.01, 100.0),
    Dimension("text_ease", "nearness", 0.5, 100.0),
    Dimension("text_ease", "half_life", *_HALF_LIFE),
    Dimension("sequence_linear", "l2", 1.0, 2000.0),
    Dimension("sequence_linear", "past_half_life", 0.2, 50.0),
    Dimension("sequence_linear", "next_half_life", 0.1, 50.0),
    Dimension("sequence_linear", "half_life", *_HALF_LIFE),
    Dimension("sequence_linear", "window_days", 1.0, 2000.0, needs_times=True),
    Dimension("sequence_linear", "tail", 0.0, 1.0, log=False),
    Dimension("als", "factors", 16, 256, whole=True),
    Dimension("als", "regularization", 0.1, 200.0),
    Dimension("als", "alpha", 0.5, 100.0),
    Dimension("als", "half_life", *_HALF_LIFE),
    Dimension("semantic", "n_last", 1, 30, whole=True),
    Dimension("semantic", "temperature", 0.02, 5.0),
    Dimension("semantic", "half_life", *_HALF_LIFE),
    Dimension("semantic", "profile_length", 1.0, 500.0),
    Dimension("cold_map", "teacher.factors", 16, 256, whole=True),
    Dimension("cold_map", "teacher.regularization", 1.0, 500.0),
    Dimension("cold_map", "l2", 0.05, 100.0),
    Dimension("cold_map", "trust", 0.0, 50.0, log=False),
    Dimension("cold_map", "attributes", 0.0, 2.0, log=False),
    Dimension("cold_map", "popularity", 0.0, 1.0, log=False),
    *(
        dimension
        for name in ("sequence", "sequence_text")
        for dimension in (
            Dimension(name, "learning_rate", 2e-4, 1e-2),
            Dimension(name, "dropout", 0.0, 0.6, log=False),
            Dimension(name, "width", choices=(32, 64, 128, 256)),
            Dimension(name, "n_blocks", choices=(None, 1, 2, 3)),
            Dimension(name, "weight_decay", 0.0, 0.1, log=False),
        )
    ),
)
"""Every setting that is searched; retrievers without a line here are left as they are."""

JUDGED_BY: Mapping[RetrieverName, ProtocolName] = {"cold_map": ProtocolName.COLD_ITEMS}
"""Whose validation fold judges; where nothing stands here it is refit's."""


def dimensions_of(name: RetrieverName, *, has_times: bool) -> tuple[Dimension, ...]:
    """Give what is searched of one retriever; nothing where it cannot be had without times."""
    if name == "rising" and not has_times:
        return ()
    return tuple(d for d in SPACES if d.name == name and (has_times or not d.needs_times))


def values_of(settings: Settings, dimensions: Sequence[Dimension]) -> dict[str, Value]:
    """Give the present values of what is searched, by dotted key."""
    return {dimension.key: _value(settings, dimension.key) for dimension in dimensions}


def _value(settings: Settings, key: str) -> Value:
    found: object = settings
    for part in key.split("."):
        found = getattr(found, part)
    if found is None or isinstance(found, bool | int | float | str):
        return found
    raise TypeError(f"setting '{key}' is {found!r}; only plain values are searched")
