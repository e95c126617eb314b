from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import asking
from tests.serve.said import history, now
from tests.serve.test_intake import BAD_EVENTS, GOOD_EVENTS

from longtale.data.record import RecordKind
from longtale.errors import StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.serve import event_routes
from longtale.serve.opening import open_service

GOOD = {"kind": "view", "item": "i1", "user": "ann"}
NDJSON = {"content-type": "application/x-ndjson"}


def lines(*rows: object) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def sent(client, what: str, content: bytes):
    return client.post(f"/v1/bulk/{what}", content=content, headers=NDJSON)


def test_a_single_event_that_is_bad_is_a_problem_with_its_place(client, service):
    answer = client.post("/v1/events", json={**GOOD, "kind": "vieww"})
    told = answer.json()
    assert answer.status_code == 422
    assert (told["code"], told["pointer"]) == ("bad_data", "/kind")
    assert "did you mean 'view'?" in told["hint"]
    assert service.store.last_seq() == 0


def test_an_event_is_safe_and_known_when_it_is_acknowledged(client, service):
    done = client.post("/v1/events", json={**GOOD, "event_id": "e", "value": 2}).json()
    assert done == {"accepted": 1, "duplicates": 0, "rejected": 0, "errors": [], "seq": 1}
    [stored] = service.store.read(0, 9)
    assert (stored.record.id, stored.record.subject) == ("e", "ann")
    found = client.get("/v1/recommend/ann?n=99").json()
    assert found["seq"] == 1
    assert "i1" not in [item["id"] for item in found["items"]]


def test_the_same_event_in_one_request_and_again_counts_once(client, service):
    row = {**GOOD, "event_id": "e"}
    done = client.post("/v1/events", json=[row, row, {**row, "item": "i2"}]).json()
    assert (done["accepted"], done["duplicates"]) == (1, 2)
    again = client.post("/v1/events", json=row).json()
    assert (again["accepted"], again["duplicates"], again["seq"]) == (0, 1, 1)
    assert history(service.engine, "ann") == ["i1"]


class Row(tuple):
    """A row, and pointer and code of what is wrong with it; shown short, since some are deep."""

    def __repr__(self) -> str:
        return f"Row({self[2] or 'good'})"


ROWS = st.lists(
    st.one_of(
        st.sampled_from([Row((row, None, None)) for row in GOOD_EVENTS]),
        st.sampled_from([Row(bad) for bad in BAD_EVENTS]),
        st.integers(0, 3).map(lambda k: Row(({**GOOD, "event_id": f"e{k}"}, None, None))),
    ),
    max_size=25,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, st.lists(st.integers(0, 25)), st.booleans(), st.integers(1, 9))
def test_nothing_that_was_sent_is_dropped_silently(
    client, service, monkeypatch, rows, blanks, as_lines, chunk
):
    """Accepted, duplicates and rejected are what was sent, each reject with place and code."""
    if not client.get("/v1/items/gone").is_success:
        client.put("/v1/items/put a moment ago", json={"title": "x"})
        client.put("/v1/items/gone", json={"title": "x"})
        client.delete("/v1/items/gone")
    before, known = service.store.last_seq(), {s.record.id for s in service.store.read(0, 10**6)}
    monkeypatch.setattr(event_routes, "_CHUNK", chunk)
    if as_lines:
        told = [json.dumps(row).encode() for row, _, _ in rows]  # orjson writes nothing so deep
        numbers = list(range(1, len(rows) + 1))
        for blank in sorted(blanks, reverse=True):
            told.insert(min(blank, len(told)), b"  ")
            numbers = [n + (n > blank) for n in numbers]
        number_of = {}
        place = 0
        for line, content in enumerate(told, start=1):
            if content.strip():
                place += 1
                number_of[place] = line
        done = sent(client, "events", b"\n".join(told)).json()
    else:
        number_of = {place: place for place in range(1, len(rows) + 1)}
        done = client.post("/v1/events", json=[row for row, _, _ in rows]).json()
    bad = [(number_of[p], *row[1:]) for p, row in enumerate(rows, start=1) if row[1] is not None]
    assert [(e["line"], e["pointer"], e["code"]) for e in done["errors"]] == bad
    assert all(e["detail"] and e["hint"] for e in done["errors"])
    assert done["rejected"] == len(bad)
    assert done["accepted"] + done["duplicates"] + done["rejected"] == len(rows)
    assert service.store.last_seq() == before + done["accepted"]
    own = [row["event_id"] for row, p, _ in rows if p is None and "event_id" in row]
    assert done["duplicates"] == len(own) - len(set(own) - known)
    assert done["seq"] in (service.store.last_seq(), before)


def test_at_most_5000_events_come_in_one_request(client):
    answer = client.post("/v1/events", json=[GOOD] * 5001)
    assert answer.status_code == 422
    assert "/v1/bulk/events" in answer.json()["hint"]
    assert client.post("/v1/events", json=[GOOD] * 5000).json()["accepted"] == 5000


def test_lines_that_are_no_json_are_told_by_their_number(client):
    content = lines(GOOD, b"", b"{bad", b'{"kind": NaN}', b"\xff\xfe", GOOD) + b"\r\n\n"
    done = sent(client, "events", content).json()
    assert (done["accepted"], done["rejected"]) == (2, 3)
    assert [(e["line"], e["code"]) for e in done["errors"]] == [
        (3, "invalid_json"),
        (4, "invalid_json"),
        (5, "invalid_json"),
    ]


def test_of_very_many_rejects_the_first_are_told_and_all_are_counted(client, monkeypatch):
    monkeypatch.setattr(event_routes, "MOST_ERRORS", 3)
    monkeypatch.setattr(event_routes, "_CHUNK", 2)
    done = sent(client, "events", lines(*[{}] * 8)).json()
    assert (done["rejected"], done["errors_left_out"]) == (8, 5)
    assert [e["line"] for e in done["errors"]] == [1, 2, 3]


def test_a_line_without_an_end_is_cut_off(client):
    answer = sent(client, "events", b'{"kind": "' + b"x" * (2 * 1024 * 1024))
    assert answer.status_code == 413
    assert "line 1 is longer" in answer.json()["detail"]


def test_bulk_knows_events_items_and_users_and_nothing_else(client):
    answer = sent(client, "rules", lines({}))
    assert (answer.status_code, answer.json()["hint"]) == (404, "allowed are items, users, events")


def test_documents_in_bulk_are_kept_once_and_again_only_where_they_changed(client, service):
    rows = [{"id": "a", "title": "x"}, {"id": "b", "title": "y"}, {"id": "c", "year": "MM"}]
    first = sent(client, "items", lines(*rows)).json()
    assert (first["accepted"], first["duplicates"], first["rejected"]) == (2, 0, 1)
    n_records = service.store.last_seq()
    again = sent(client, "items", lines(*rows)).json()
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (0, 2, 1)
    assert service.store.last_seq() == n_records == again["seq"]
    back_and_forth = [
        {"id": "a", "title": "z"},
        {"id": "a", "title": "x"},
        {"id": "a", "title": "x"},
    ]
    third = sent(client, "items", lines(*back_and_forth)).json()
    assert (third["accepted"], third["duplicates"]) == (2, 1)
    assert client.get("/v1/items/a").json()["title"] == "x"
    users = sent(client, "users", lines({"id": "ann", "age": 1}, {"id": "ann", "age": True}))
    assert users.json()["accepted"] == 2, "in JSON true is not 1"
    assert client.get("/v1/users/ann").json() == {"id": "ann", "age": True}


class Failing(MemoryStore):
    """A store that can be written so many times."""

    writes_left = 10**6

    def append(self, records):
        self.writes_left -= 1
        if self.writes_left < 0:
            raise StoreError("no space is left on the disk of store.example")
        return super().append(records)


@pytest.fixture
def failing(shop):
    store = Failing()
    service = open_service(shop, store=store)
    yield store, asking(service), service
    service.close()


def test_while_the_store_fails_writes_are_refused_reads_go_on_and_say_so(failing):
    store, client, service = failing
    client.post("/v1/events", json={**GOOD, "user": "u0"})
    store.writes_left = 0
    for method, path, body in (
        ("POST", "/v1/events", GOOD),
        ("POST", "/v1/bulk/events", GOOD),
        ("PUT", "/v1/items/x", {"title": "x"}),
        ("PUT", "/v1/rules/r", {"action": "hide", "items": ["i0"]}),
        ("PUT", "/v1/users/u0/taste", {"more": ["x"]}),
        ("POST", "/v1/models/second/promote", {}),
        ("POST", "/v1/keys", {"scope": "read", "name": "x"}),
    ):
        answer = client.request(method, path, json=body)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (503, "store_unavailable"), path
        assert answer.headers["retry-after"] == "2"
        assert "store.example" not in answer.text
        assert service.degraded == ("store",)
    for path in ("/v1/recommend/u0", "/v1/similar/i0", "/v1/search?q=space"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.json()["degraded"] == ["store"]
        assert "x" not in [item["id"] for item in answer.json()["items"]]
    assert client.get("/v1/health/ready").json() == {"status": "ready", "degraded": ["store"]}
    assert client.get("/v1/status").json()["model_version"] != "second"
    store.writes_left = 99
    assert client.post("/v1/events", json=GOOD).status_code == 200
    assert client.get("/v1/recommend/u0").json()["degraded"] == []


def test_a_stream_that_is_cut_off_says_how_far_it_was_kept(failing, monkeypatch):
    store, client, service = failing
    monkeypatch.setattr(event_routes, "_CHUNK", 2)
    store.writes_left = 2
    content = lines(GOOD, b"", GOOD, {}, GOOD, GOOD, GOOD)
    told = sent(client, "events", content)
    assert told.status_code == 503
    assert "what was good in the lines up to 5 is kept" in told.json()["detail"]
    assert service.store.last_seq() == 3
    store.writes_left = 2
    told = sent(client, "events", lines(GOOD, GOOD) + b"\n" + b"x" * (2 * 1024 * 1024))
    assert told.status_code == 413
    assert "lines up to 2 is kept" in told.json()["detail"]


def test_session_events_are_kept_beside_those_of_users(client, service):
    client.post(
        "/v1/events", json={"kind": "view", "session": "s", "item": "i1", "time": now() / 1e6}
    )
    [stored] = service.store.read(0, 9)
    assert stored.record.kind is RecordKind.SESSION_EVENT
    assert not service.engine.world.knows("s")
