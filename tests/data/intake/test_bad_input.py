"""What cannot be read: set aside with its reason, or a clear error; never lost silently."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longtale.data.intake.mapping import DataSettings, EventSource, ItemSource
from longtale.data.intake.prepare import Intake, read_dataset
from longtale.errors import ColumnError, SourceError, TooManyBadRowsError

NOW = 1_800_000_000_000_000
EVENTS = EventSource(
    source="events.csv", user="u", item="i", time="t", kind="k", value="v", event_id="e"
)


def read(folder: Path, text: str, **changes: object) -> Intake:
    (folder / "events.csv").write_text(text, encoding="utf-8")
    values = {"events": EVENTS, "max_bad_share": 1, **changes}
    return read_dataset(DataSettings.model_validate(values), folder, now=NOW)


def read_rows(folder: Path, *rows: str) -> Intake:
    return read(folder, "\n".join(["u,i,t,k,v,e", *rows]) + "\n")


def reasons(intake: Intake) -> dict[str, int]:
    return {r.reason: r.count for table in intake.report.tables for r in table.refusals}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",x,1,rate,1,", "no user id"),
        ("   ,x,1,rate,1,", "no user id"),
        ("NaN,x,1,rate,1,", "no user id"),
        ("A,,1,rate,1,", "no item id"),
        ("A,inf,1,rate,1,", "no item id"),
        ("A,x,,rate,1,", "time cannot be read"),
        ("A,x,yesterday,rate,1,", "time cannot be read"),
        ("A,x,nan,rate,1,", "time cannot be read"),
        ("A,x,inf,rate,1,", "time cannot be read"),
        ("A,x,2023-02-30,rate,1,", "time cannot be read"),
        ("A,x,1800086401,rate,1,", "time in the future"),
        ("A,x,-1,rate,1,", "time before 1970"),
        ("A,x,1969-12-31,rate,1,", "time before 1970"),
        ("A,x,1,clik,1,", "unknown event kind"),
        ("A,x,1,rate,inf,", "value is not a number"),
        ("A,x,1,rate,good,", "value is not a number"),
        ("A,x,1,rate,1,e,f", "line has more cells than the header"),
        ("A", "no item id"),
    ],
)
def test_bad_row_is_set_aside_with_its_reason(tmp_path, row, reason):
    intake = read_rows(tmp_path, "A,x,1,rate,1,e1", row)
    assert reasons(intake) == {reason: 1}
    assert len(intake.dataset.interactions) == 1


@pytest.mark.parametrize("value", ["", "nan", "NaN"])
def test_value_may_be_missing(tmp_path, value):
    intake = read_rows(tmp_path, f"A,x,1,rate,{value},")
    assert pl.Series(intake.dataset.interactions.values).is_nan().all()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("1e20,", "rank is no place in a list"),
        ("-3,", "rank is no place in a list"),
        ("2.5,", "rank is no place in a list"),
        ("first,", "rank is not a number"),
        (",7", "propensity is no probability"),
        (",-0.1", "propensity is no probability"),
        (",inf", "propensity is not a number"),
    ],
)
@pytest.mark.parametrize("table", ["events", "impressions"])
def test_wrong_place_or_chance_is_set_aside(tmp_path, table, cells, reason):
    text = f"s,u,i,r,p\ns1,A,x,1,0.5\ns1,A,y,,\ns1,A,z,{cells}\n"
    (tmp_path / "shown.csv").write_text(text)
    source = {"source": "shown.csv", "slate": "s", "user": "u", "item": "i"}
    intake = read(
        tmp_path,
        "u,i,t,k,v,e\nA,x,1,rate,1,\n",
        **{table: {**source, "rank": "r", "propensity": "p"}},
    )
    assert reasons(intake) == {reason: 1}
    assert intake.dataset.impressions.ranks.tolist() == [1, 0]


def test_time_within_a_day_of_now_is_kept(tmp_path):
    assert len(read_rows(tmp_path, "A,x,1800086400,rate,1,").dataset.interactions) == 1


def test_quarantine_holds_row_reason_and_original(tmp_path):
    intake = read_rows(tmp_path, "A,x,1,rate,1,", "A,x,1,clik,5,e9")
    (line,) = (tmp_path / "quarantine" / "events.ndjson").read_text().splitlines()
    found = json.loads(line)
    assert found["row"] == 2
    assert found["reason"] == "unknown event kind"
    assert found["original"]["k"] == "clik"
    assert intake.report.tables[0].quarantine_file == str(tmp_path / "quarantine/events.ndjson")


def test_quarantine_and_examples_speak_of_no_column_but_the_users(tmp_path):
    intake = read_rows(tmp_path, "A,x,1,clik,5,e9")
    (refusal,) = intake.report.tables[0].refusals
    written = (tmp_path / "quarantine" / "events.ndjson").read_text()
    assert "__" not in written + refusal.examples[0]
    assert '"surplus"' not in written


def test_quarantine_keeps_the_cells_beyond_the_header(tmp_path):
    intake = read_rows(tmp_path, "A,x,1,rate,5,e9,one,two", "A,x,1,clik,5,e9")
    lines = (tmp_path / "quarantine" / "events.ndjson").read_text().splitlines()
    assert [json.loads(line)["surplus"] for line in lines] == [["one", "two"], None]
    assert "['one', 'two']" in intake.report.tables[0].refusals[0].examples[0]


def test_unknown_kind_offers_the_nearest(tmp_path):
    (refusal,) = read_rows(tmp_path, "A,x,1,clik,5,").report.tables[0].refusals
    assert "'clik'; did you mean 'click'?" in refusal.hint
    assert "row 1" in refusal.examples[0]


def test_old_quarantine_goes_when_nothing_is_bad(tmp_path):
    read_rows(tmp_path, "A,x,1,clik,5,", "A,x,1,rate,5,")
    read_rows(tmp_path, "A,x,1,rate,5,")
    assert not (tmp_path / "quarantine" / "events.ndjson").exists()


def test_too_many_bad_rows_stop_with_the_commonest_reason(tmp_path):
    text = "u,i,t,k,v,e\nA,x,1,,,\n" + "A,x,never,,,\n" * 3 + ",x,1,,,\n"
    with pytest.raises(TooManyBadRowsError, match=r"4 of 5 rows .* 3 x time cannot be read"):
        read(tmp_path, text, max_bad_share=0.5)
    assert len((tmp_path / "quarantine" / "events.ndjson").read_text().splitlines()) == 4


def test_share_at_the_limit_is_allowed(tmp_path):
    text = "u,i,t,k,v,e\nA,x,1,,,\n,x,1,,,\n"
    assert len(read(tmp_path, text, max_bad_share=0.5).dataset.interactions) == 1


def test_blank_lines_are_no_rows(tmp_path):
    intake = read(tmp_path, "u,i,t,k,v,e\n\nA,x,1,,,\n\n\n")
    assert intake.report.tables[0].n_read == 1


def test_empty_file_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"events.csv' is empty \(0 bytes\)"):
        read(tmp_path, "")


def test_header_only_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no rows, only column names"):
        read(tmp_path, "u,i,t,k,v,e\n")


def test_missing_file_names_what_is_there(tmp_path):
    (tmp_path / "evnts.csv").write_text("u,i\n")
    source = DataSettings(events=EVENTS)
    with pytest.raises(SourceError, match=r"no file at .*events.csv'; that folder holds evnts.csv"):
        read_dataset(source, tmp_path)


def test_missing_column_names_the_nearest(tmp_path):
    (tmp_path / "e.csv").write_text("userId,movieId\n1,2\n")
    source = EventSource(source="e.csv", user="userID", item="movieId")
    with pytest.raises(ColumnError, match=r"has no column 'userID'.*did you mean 'userId'"):
        read_dataset(DataSettings(events=source), tmp_path)


def test_missing_text_column_is_refused(tmp_path):
    (tmp_path / "i.csv").write_text("id,title\n1,T\n")
    source = ItemSource(source="i.csv", id="id", title="titel")
    with pytest.raises(ColumnError, match="did you mean 'title'"):
        read_dataset(DataSettings(items=source), tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_wrong_encoding_names_the_first_bad_byte(tmp_path, packed):
    content = b"u,i\nA,caf\xe9\n"
    name = "e.csv.gz" if packed else "e.csv"
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    source = EventSource(source=name, user="u", item="i")
    with pytest.raises(SourceError, match="byte 0xe9 at offset 9; it is probably WINDOWS-1252"):
        read_dataset(DataSettings(events=source), tmp_path)


def test_bad_byte_behind_the_first_block_has_the_right_offset(tmp_path, monkeypatch):
    monkeypatch.setattr("longtale.data.intake.tabular.BLOCK_BYTES", 4)
    (tmp_path / "e.csv").write_bytes("u,i\nA,é€🦊".encode() + b"\xff\n")
    with pytest.raises(SourceError, match="byte 0xff at offset 15"):
        read_dataset(DataSettings(events=EventSource(source="e.csv", user="u", item="i")), tmp_path)


def test_utf16_is_recognised(tmp_path):
    (tmp_path / "e.csv").write_text("u,i\nA,x\n", encoding="utf-16")
    with pytest.raises(SourceError, match="probably UTF-16"):
        read_dataset(DataSettings(events=EventSource(source="e.csv", user="u", item="i")), tmp_path)


def test_broken_quotes_are_refused(tmp_path):
    with pytest.raises(SourceError, match="cannot be parsed"):
        read(tmp_path, 'u,i,t,k,v,e\nA,"x"y,1,,,\n')


def test_broken_parquet_is_refused(tmp_path):
    (tmp_path / "e.parquet").write_bytes(b"PAR1 not really")
    source = EventSource(source="e.parquet", user="u", item="i")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        read_dataset(DataSettings(events=source), tmp_path)


def test_unknown_type_of_file_is_refused(tmp_path):
    (tmp_path / "e.xlsx").write_bytes(b"PK")
    source = EventSource(source="e.xlsx", user="u", item="i")
    with pytest.raises(SourceError, match=r"expected one of .csv"):
        read_dataset(DataSettings(events=source), tmp_path)


def test_list_as_id_is_refused(tmp_path):
    pl.DataFrame({"u": [[1]], "i": [1]}).write_parquet(tmp_path / "e.parquet")
    source = EventSource(source="e.parquet", user="u", item="i")
    with pytest.raises(ColumnError, match="an id is text or a number"):
        read_dataset(DataSettings(events=source), tmp_path)


def test_infinite_and_missing_ids_of_float_columns_are_set_aside(tmp_path):
    ids = [1.0, float("nan"), float("inf"), None, 2.5]
    pl.DataFrame({"u": ids, "i": [1] * 5}).write_parquet(tmp_path / "e.parquet")
    source = EventSource(source="e.parquet", user="u", item="i")
    intake = read_dataset(DataSettings(events=source, max_bad_share=1), tmp_path)
    assert reasons(intake) == {"no user id": 3}
    assert intake.dataset.users.ids.to_list() == ["1", "2.5"]


def test_identical_item_rows_merge_and_contradictions_are_set_aside(tmp_path):
    (tmp_path / "i.csv").write_text("id,title\n1,A\n1,A\n1,B\n2,C\n")
    source = ItemSource(source="i.csv", id="id", title="title")
    intake = read_dataset(DataSettings(items=source, max_bad_share=1), tmp_path)
    (report,) = intake.report.tables
    assert intake.dataset.catalog.titles() == ["A", "C"]
    assert (report.n_kept, report.n_duplicates, report.n_quarantined) == (2, 1, 1)
    assert reasons(intake) == {"repeated item id with other content": 1}


def test_text_of_a_megabyte_is_kept(tmp_path):
    long = "word " * 200_000
    (tmp_path / "i.csv").write_text(f"id,title\n1,{long}\n")
    source = ItemSource(source="i.csv", id="id", title="title")
    dataset = read_dataset(DataSettings(items=source), tmp_path).dataset
    assert dataset.catalog.titles() == [long.strip()]


cells = st.sampled_from(
    ["", " ", "A", "🦊", "x y", "1", "1.0", "-5", "1e30", "nan", "inf", "rate", "clik", "שלום",
     "1700000000", "2023-11-14T22:13:20Z", "9999-01-01", "null"]
)  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(cells, min_size=1, max_size=8), min_size=1, max_size=12))
def test_every_row_is_kept_or_set_aside_or_a_duplicate(tmp_path, rows):
    lines = ["A,x,1,rate,1,first", *(",".join(row) for row in rows)]
    intake = read_rows(tmp_path, *lines)
    (report,) = intake.report.tables
    n_rows = sum(1 for line in lines if line.strip(","))
    quarantine = tmp_path / "quarantine" / "events.ndjson"
    n_lines = len(quarantine.read_text().splitlines()) if quarantine.exists() else 0
    n_kept = len(intake.dataset.interactions) + len(intake.dataset.dismissals)
    assert report.n_read == n_rows
    assert n_kept == report.n_kept
    assert n_lines == report.n_quarantined
    assert report.n_kept + report.n_quarantined + report.n_duplicates == report.n_read


def test_a_catalogue_without_events_is_warned_about(tmp_path):
    (tmp_path / "i.csv").write_text("id,title\n1,One\n")
    source = ItemSource(source="i.csv", id="id", title="title")
    (warning,) = read_dataset(DataSettings(items=source), tmp_path).report.warnings
    assert warning.startswith("there are no events: words alone will recommend")
