from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.said import item, now
from tests.serve.shop import ODD_ITEM

from longtale.arrays import DAY
from longtale.data.record import Record, RecordKind
from longtale.feedback.rows import row_of
from longtale.serve.intake import DocumentReader, EventReader, counts, sort_rows
from longtale.serve.messages import Fault

GOOD = {"kind": "view", "item": "i1", "user": "ann"}
FAR = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3 * 86_400))


def deep(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


BAD_EVENTS = [
    ("x", "", "invalid_field"),
    (None, "", "invalid_field"),
    ([GOOD], "", "invalid_field"),
    ({}, "/kind", "missing_field"),
    ({**GOOD, "kind": "vieww"}, "/kind", "unknown_kind"),
    ({**GOOD, "kind": 1}, "/kind", "invalid_field"),
    ({**GOOD, "item": "nowhere"}, "/item", "unknown_item"),
    ({**GOOD, "item": "gone"}, "/item", "unknown_item"),
    ({**GOOD, "item": 5}, "/item", "invalid_field"),
    ({**GOOD, "item": ""}, "/item", "invalid_field"),
    ({"kind": "view", "item": "i1"}, "/user", "no_subject"),
    ({**GOOD, "session": "s"}, "/user", "two_subjects"),
    ({**GOOD, "user": "a\0b"}, "/user", "invalid_field"),
    ({**GOOD, "user": "x" * 257}, "/user", "invalid_field"),
    ({**GOOD, "colour": "red"}, "/colour", "unknown_field"),
    ({**GOOD, "a/b~": 1}, "/a~1b~0", "unknown_field"),
    ({**GOOD, "value": "much"}, "/value", "invalid_field"),
    ({**GOOD, "value": 1e300}, "/value", "invalid_field"),
    ({**GOOD, "time": "yesterday"}, "/time", "invalid_field"),
    ({**GOOD, "time": "2024-01-01T00:00:00"}, "/time", "invalid_field"),
    ({**GOOD, "time": FAR}, "/time", "future_time"),
    ({**GOOD, "rank": 0}, "/rank", "invalid_field"),
    ({**GOOD, "event_id": ""}, "/event_id", "invalid_field"),
    ({**GOOD, "context": deep(40)}, "/context", "invalid_field"),
    ({**GOOD, "context": {"a": deep(900)}}, "/context", "invalid_field"),
]
GOOD_EVENTS = [
    GOOD,
    {**GOOD, "item": ODD_ITEM},
    {**GOOD, "item": "put a moment ago"},
    {**GOOD, "time": "0001-01-01T00:00:00+14:00"},
    {**GOOD, "time": "2024-02-29T23:59:60.5Z".replace(":60.5", ":59.5")},
    {**GOOD, "time": 1_700_000_000},
    {**GOOD, "value": -1e12, "rank": 10_000, "slate_id": "s", "context": {"a": deep(20)}},
    {**GOOD, "context": {"ints": [2**64 - 1, -(2**63), 1e308], "null": None}},
    {"kind": "dismiss", "item": "i1", "session": "🦊"},
    {**GOOD, "user": "é" * 256},
]


@pytest.fixture
def reader(engine) -> EventReader:
    engine.append([item("put a moment ago", {"title": "x"}), item("gone", None)])
    return EventReader(engine.world, engine.views)


@pytest.mark.parametrize(("row", "pointer", "code"), BAD_EVENTS)
def test_a_bad_event_is_refused_with_its_place_its_code_and_a_hint(reader, row, pointer, code):
    found = reader(row)
    assert isinstance(found, Fault)
    assert (found.pointer, found.code) == (pointer, code)
    assert found.detail
    assert found.hint


@pytest.mark.parametrize("row", GOOD_EVENTS)
def test_a_good_event_becomes_a_record_that_every_store_can_keep(reader, row):
    found = reader(row)
    assert isinstance(found, Record)
    assert row_of(found)
    assert found.subject == row.get("user", row.get("session"))
    assert found.kind is (RecordKind.EVENT if "user" in row else RecordKind.SESSION_EVENT)


def test_hints_offer_what_was_meant(reader):
    assert "did you mean 'view'?" in reader({**GOOD, "kind": "vieww"}).hint
    assert "did you mean 'item'?" in reader({**GOOD, "itm": "i1"}).hint


def test_what_is_said_of_an_event_is_kept_and_what_is_not_is_given(reader):
    told = {"value": 4.5, "slate_id": "s", "rank": 2, "context": {"page": "home"}}
    found = reader({**GOOD, **told, "event_id": "e", "time": "2024-01-01T00:00:00.000001Z"})
    assert found.id == "e"
    assert found.body == {
        "kind": "view",
        "item": "i1",
        "time": 1_704_067_200_000_001,
        **told,
    }
    bare = [reader(GOOD) for _ in range(2)]
    assert bare[0].id != bare[1].id
    assert abs(bare[0].body["time"] - now()) < DAY
    assert set(bare[0].body) == {"kind", "item", "time"}


def test_personal_data_in_contexts_is_masked_where_it_is_to_be(engine):
    row = {**GOOD, "context": {"note": "write to ann@example.org"}}
    masked = EventReader(engine.world, engine.views)(row)
    assert masked.body["context"] == {"note": "write to [email]"}
    plain = EventReader(engine.world, engine.views, is_masking=False)(row)
    assert plain.body["context"] == row["context"]


ROWS = st.lists(
    st.sampled_from(
        [*((row, None) for row in GOOD_EVENTS), *((row, p) for row, p, _ in BAD_EVENTS)]
    ),
    max_size=30,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(1, 10**6))
def test_every_row_is_a_record_or_a_reject_with_its_line(reader, rows, first):
    found = sort_rows(enumerate((row for row, _ in rows), start=first), reader)
    expected = [(first + k, pointer) for k, (_, pointer) in enumerate(rows) if pointer is not None]
    assert [(reject.line, reject.fault.pointer) for reject in found.rejects] == expected
    assert len(found.records) + len(found.rejects) == len(rows)
    told = counts(found, [True] * len(found.records), 7)
    assert told["accepted"] + told["duplicates"] + told["rejected"] == len(rows)
    orjson.dumps(told)


BAD_DOCUMENTS = [
    (5, "", "invalid_field"),
    ({"title": "x"}, "/id", "missing_field"),
    ({"id": ""}, "/id", "invalid_field"),
    ({"id": 7}, "/id", "invalid_field"),
    ({"id": "a\tb"}, "/id", "invalid_field"),
    ({"id": "a", "": 1}, "", "invalid_field"),
    ({"id": "a", "x" * 129: 1}, "", "invalid_field"),
    ({"id": "a", "x": deep(33)}, "", "invalid_field"),
    ({"id": "a", "x": deep(900)}, "", "invalid_field"),
]


@pytest.mark.parametrize("kind", [RecordKind.ITEM, RecordKind.USER])
@pytest.mark.parametrize(("row", "pointer", "code"), BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_its_place(engine, kind, row, pointer, code):
    found = DocumentReader(kind, engine.world)(row)
    assert isinstance(found, Fault)
    assert (found.pointer, found.code) == (pointer, code)
    json.dumps([found.detail, found.hint])


def test_an_item_is_held_to_the_types_of_the_catalogue_and_a_user_is_free(engine):
    row = {"id": "a", "year": "MM", "colour": {"rgb": [1, 2]}}
    found = DocumentReader(RecordKind.ITEM, engine.world)(row)
    assert (found.pointer, found.code) == ("/year", "invalid_field")
    kept = DocumentReader(RecordKind.USER, engine.world)(row)
    assert kept.body == {"year": "MM", "colour": {"rgb": [1, 2]}}
    assert kept.subject == "a"


def test_personal_data_of_users_is_masked_and_ids_are_not(engine):
    row = {"id": "ann@example.org", "about": "write to ann@example.org"}
    found = DocumentReader(RecordKind.USER, engine.world)(row)
    assert (found.subject, found.body) == ("ann@example.org", {"about": "write to [email]"})
    item_of = DocumentReader(RecordKind.ITEM, engine.world)({"id": "a", "title": "ann@example.org"})
    assert item_of.body == {"title": "ann@example.org"}
