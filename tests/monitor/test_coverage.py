from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.monitor.coverage import ShownItems

WINDOW_S, SLOT_S = 120.0, 10.0
SHOWINGS = st.lists(st.tuples(st.floats(0, 40), st.lists(st.sampled_from("abcdefgh"), max_size=4)))


@settings(deadline=None)
@given(SHOWINGS)
def test_counts_as_a_list_of_all_showings_would(showings):
    now = 0.0
    shown = ShownItems(WINDOW_S, clock=lambda: now)
    seen: list[tuple[int, str]] = []
    for pause, items in showings:
        now += pause
        shown.show(items)
        slot = int(now // SLOT_S)
        seen += [(slot, item) for item in items]
        assert len(shown) == len({item for at, item in seen if at > slot - 12})


def test_items_that_left_the_window_take_no_memory():
    now = 0.0
    shown = ShownItems(WINDOW_S, clock=lambda: now)
    tracemalloc.start()
    shown.show(str(n) for n in range(20_000))
    full, _ = tracemalloc.get_traced_memory()
    now = 500.0
    shown.show(["x"])
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(shown) == 1
    assert left < full / 100
