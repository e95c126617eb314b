from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from longtale.errors import MissingExtraError
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import (
    Guarantee,
    Mutant,
    NotTriedError,
    Outcome,
    State,
    Trial,
    tried,
)
from longtale.reliability.scale import FULL, QUICK

IS_BROKEN = [False]


@contextmanager
def broken() -> Iterator[None]:
    IS_BROKEN[0] = True
    yield
    IS_BROKEN[0] = False


def a_trial(*, slowness: float = 0.0, is_kept: bool = True, sees: bool = True) -> Trial:
    """Give a trial that finds what is said here, and the mutant where it can see."""

    def run(bench: Bench) -> Outcome:
        if IS_BROKEN[0] and sees:
            return Outcome({"n": 1}, False, "it is broken")
        return Outcome({"n": 1, "p99_ms": math.inf}, is_kept, "told" if slowness else "", slowness)

    return run


def guarantee(trial: Trial) -> Guarantee:
    return Guarantee("one", "a promise", "a target", trial, Mutant("a part", broken))


def test_a_promise_that_is_kept_is_proven_by_its_mutant(bench):
    verdict = tried(guarantee(a_trial()), bench, "strict")
    assert (verdict.state, verdict.is_mutant_caught) == (State.KEPT, True)
    assert verdict.mutant_detail == "it is broken"
    assert verdict.is_proven


def test_a_broken_promise_is_told(bench):
    verdict = tried(guarantee(a_trial(is_kept=False)), bench, "tolerant")
    assert verdict.state is State.BROKEN
    assert not verdict.is_proven


def test_a_trial_that_does_not_see_its_mutant_proves_nothing(bench):
    verdict = tried(guarantee(a_trial(sees=False)), bench, "strict")
    assert (verdict.state, verdict.is_mutant_caught) == (State.KEPT, False)
    assert not verdict.is_proven


@pytest.mark.parametrize(
    ("slowness", "misses", "state"),
    [
        (1.0, "strict", State.KEPT),
        (1.1, "strict", State.BROKEN),
        (1.1, "tolerant", State.SLOW),
        (3.1, "tolerant", State.BROKEN),
    ],
)
def test_speed_decides_where_nothing_else_may_be_the_cause(bench, slowness, misses, state):
    assert tried(guarantee(a_trial(slowness=slowness)), bench, misses).state is state


def test_what_was_never_reached_is_null_in_json(bench):
    verdict = tried(guarantee(a_trial(slowness=math.inf)), bench, "tolerant")
    assert verdict.measured == {"n": 1, "p99_ms": None}
    assert verdict.slowness is None


@pytest.mark.parametrize(
    "error", [NotTriedError("not here"), MissingExtraError("apsw", extra="x", purpose="this")]
)
def test_what_cannot_be_tried_is_neither_kept_nor_broken(bench, error):
    def run(_: Bench) -> Outcome:
        raise error

    verdict = tried(guarantee(run), bench, "strict")
    assert (verdict.state, verdict.detail) == (State.NOT_TRIED, str(error))
    assert verdict.is_proven


def test_a_service_that_does_not_answer_breaks_its_promise(bench):
    def run(_: Bench) -> Outcome:
        raise httpx.ReadTimeout("timed out")

    verdict = tried(guarantee(run), bench, "strict")
    assert verdict.state is State.BROKEN
    assert "ReadTimeout('timed out')" in verdict.detail


def test_a_mutant_is_tried_with_little_and_in_every_process(bench):
    mutant = replace(bench, scale=FULL).broken_by(broken)
    assert (mutant.scale, mutant.flaw) == (QUICK, broken)
