from __future__ import annotations

import pytest

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Guarantee, NotTriedError
from longtale.reliability.promises import GUARANTEES

TRIED = [guarantee for guarantee in GUARANTEES if guarantee.name != "language-models"]


@pytest.mark.parametrize("guarantee", TRIED, ids=lambda guarantee: guarantee.name)
def test_the_promise_is_kept_whatever_the_speed(guarantee: Guarantee, bench: Bench) -> None:
    outcome = guarantee.run(bench)
    assert outcome.is_kept, outcome.detail
    assert outcome.measured


@pytest.mark.parametrize("guarantee", TRIED, ids=lambda guarantee: guarantee.name)
def test_the_mutant_is_caught(guarantee: Guarantee, bench: Bench) -> None:
    with guarantee.mutant.flaw():
        outcome = guarantee.run(bench.broken_by(guarantee.mutant.flaw))
    assert not outcome.passes("tolerant"), outcome.measured
    assert outcome.detail


def test_what_cannot_be_tried_says_why(bench: Bench) -> None:
    by_name = {guarantee.name: guarantee for guarantee in GUARANTEES}
    with pytest.raises(NotTriedError, match="no language model takes part"):
        by_name["language-models"].run(bench)


def test_names_are_short_and_different() -> None:
    names = [guarantee.name for guarantee in GUARANTEES]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and " " not in name for name in names)
