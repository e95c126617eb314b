from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.monitor.lag import Lag

STEPS = st.lists(
    st.tuples(st.sampled_from(["acknowledge", "apply"]), st.integers(1, 30), st.integers(1, 9))
)


@settings(deadline=None)
@given(STEPS)
def test_equals_the_age_of_the_first_record_not_applied(steps):
    now = 0.0
    lag = Lag(clock=lambda: now)
    at: dict[int, float] = {}
    applied = 0
    for verb, seq, pause in steps:
        now += pause
        getattr(lag, verb)(seq)
        if verb == "acknowledge":
            for number in range(1, seq + 1):
                at.setdefault(number, now)
        else:
            applied = max(applied, seq)
            for number in range(1, seq + 1):
                at.setdefault(number, now)
        waiting = [time for number, time in at.items() if number > applied]
        assert lag.seconds() == (now - min(waiting) if waiting else 0)


def test_an_applier_that_stands_still_takes_no_more_memory():
    now = 0.0
    lag = Lag(clock=lambda: now)
    sizes = []
    tracemalloc.start()
    for seq in range(1, 30_001):
        now += 1
        lag.acknowledge(seq)
        if seq in (6_000, 30_000):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 10_000
    assert lag.seconds() == 29_999
    lag.apply(30_000)
    assert lag.seconds() == 0
