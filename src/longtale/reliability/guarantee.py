"""A promise of the service, how it is tried, and the fault that the trial must find.

A trial that finds nothing wrong says little unless it is known to find something. So each comes
with a mutant: the same trial of a service in which one part was broken on purpose. A promise counts
as proven where the trial is passed and its mutant is caught.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import httpx

from longtale.errors import LongtaleError, MissingExtraError
from longtale.recommend.answer import Json
from longtale.reliability.bench import Bench
from longtale.reliability.scale import Misses
from longtale.reliability.server_process import Flaw

_LONGEST = 300
TOLERANCE = 3.0
"""By this factor a figure of speed may miss its target where that is tolerated."""


class NotTriedError(LongtaleError):
    """A promise cannot be tried here; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What a trial found.

    Args:
        measured: figures by name.
        is_kept: whether everything that does not depend on the speed of the machine is as promised.
        detail: the first thing that is not.
        slowness: the worst figure of speed over its target; above 1 the target is missed.
    """

    measured: Mapping[str, Json]
    is_kept: bool
    detail: str = ""
    slowness: float = 0.0

    def passes(self, misses: Misses) -> bool:
        """Say whether the promise is kept."""
        return self.is_kept and self.slowness <= (1.0 if misses == "strict" else TOLERANCE)


Trial = Callable[[Bench], Outcome]


@dataclass(frozen=True)
class Mutant:
    """What is broken on purpose.

    Args:
        what: in words.
        flaw: breaks it.
    """

    what: str
    flaw: Flaw


@dataclass(frozen=True)
class Guarantee:
    """A promise and its proof.

    Args:
        name: short, for `--only`.
        promise: what users may rely on.
        target: by which figures it counts as kept.
        run: tries it.
        mutant: what `run` must catch.
    """

    name: str
    promise: str
    target: str
    run: Trial
    mutant: Mutant


class State(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    SLOW = "slow here"
    """Only speed misses its target, by less than `TOLERANCE`, where that is tolerated."""
    BROKEN = "broken"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Verdict:
    """What a trial and its mutant came to.

    Args:
        name: of the guarantee.
        promise: what users may rely on.
        target: by which figures it counts as kept.
        mutant: what was broken on purpose.
        state: what became of the promise.
        measured: figures by name.
        detail: what is not as promised, or why it was not tried.
        is_mutant_caught: None where nothing was tried.
        mutant_detail: what the trial found wrong with the mutant.
        slowness: the worst figure of speed over its target; 0 where speed is not promised.
        seconds: how long both took.
    """

    name: str
    promise: str
    target: str
    mutant: str
    state: State
    measured: Mapping[str, Json] = field(default_factory=dict)
    detail: str = ""
    is_mutant_caught: bool | None = None
    mutant_detail: str = ""
    slowness: float | None = 0.0
    seconds: float = 0.0

    @property
    def is_proven(self) -> bool:
        """Whether nothing speaks against the promise, and its trial can be trusted."""
        return self.state is not State.BROKEN and self.is_mutant_caught is not False

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {**asdict(self), "state": self.state.value}


def tried(guarantee: Guarantee, bench: Bench, misses: Misses) -> Verdict:
    """Try a guarantee and its mutant."""
    begun = time.perf_counter()
    mutant = guarantee.mutant
    untried = Verdict(
        guarantee.name, guarantee.promise, guarantee.target, mutant.what, State.NOT_TRIED
    )
    try:
        outcome = _outcome(guarantee.run, bench)
        with mutant.flaw():
            broken = _outcome(guarantee.run, bench.broken_by(mutant.flaw))
    except (NotTriedError, MissingExtraError) as error:
        return replace(untried, detail=str(error))
    return replace(
        untried,
        state=_state(outcome, misses),
        measured={name: _finite(value) for name, value in outcome.measured.items()},
        detail=outcome.detail,
        is_mutant_caught=not broken.passes("tolerant"),
        mutant_detail=broken.detail,
        slowness=round(outcome.slowness, 2) if math.isfinite(outcome.slowness) else None,
        seconds=round(time.perf_counter() - begun, 1),
    )


def _outcome(run: Trial, bench: Bench) -> Outcome:
    """Give what a trial found; that the service is gone, or answers nothing, is a finding too."""
    try:
        return run(bench)
    except (httpx.HTTPError, ProcessLookupError) as error:
        return Outcome({}, False, f"it could not be tried to the end: {error!r}"[:_LONGEST])


def _state(outcome: Outcome, misses: Misses) -> State:
    if not outcome.passes(misses):
        return State.BROKEN
    return State.KEPT if outcome.passes("strict") else State.SLOW


def _finite(value: Json) -> Json:
    """Give a figure as JSON can hold it: what was never reached is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
