from __future__ import annotations

import time
import uuid

from longtale.data.event import DEFAULT_KINDS, EventKind
from longtale.data.record import Record, RecordKind
from longtale.feedback.sessions import MemorySessions
from longtale.serve.visits import Visit, Visits

KINDS = {kind.name: kind for kind in (*DEFAULT_KINDS, EventKind(name="stars", min_value=3))}


def did(session: str, item: str, kind: str = "view", *, ago_s: float = 0, **more) -> Record:
    at = time.time_ns() // 1000 - int(1e6 * ago_s)
    body = {"kind": kind, "item": item, "time": at, **more}
    return Record(RecordKind.SESSION_EVENT, session, body, uuid.uuid4().hex, at)


def noted(*records: Record) -> Visits:
    visits = Visits(MemorySessions(), KINDS)
    visits.note(records)
    return visits


def test_a_visit_is_what_was_touched_and_what_was_turned_down_in_order():
    visits = noted(
        did("s", "a"),
        did("s", "b", "dismiss"),
        did("other", "x"),
        did("s", "c", "stars", value=5),
        did("s", "d", "stars", value=2),
        did("s", "e", "stars"),
        did("s", "f", "no kind of ours"),
    )
    assert visits.of("s") == Visit(("a", "c", "e"), ("b", "d"))
    assert visits.of("other") == Visit(("x",))


def test_nobody_and_a_session_without_events_did_nothing():
    assert noted().of(None) == noted().of("s") == Visit()


def test_what_is_older_than_a_session_lives_and_what_is_no_session_event_is_passed_over():
    user = Record(RecordKind.EVENT, "s", {"kind": "view", "item": "y"}, "r", time.time_ns() // 1000)
    visits = noted(did("s", "old", ago_s=3700), did("s", "young", ago_s=3500), user)
    assert visits.of("s") == Visit(("young",))


def test_sessions_of_one_process_are_not_shared():
    assert not noted().are_shared
    assert not noted().is_degraded
