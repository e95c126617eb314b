"""Files and databases as tables: the same rows from each of them."""

from __future__ import annotations

import gzip
import sqlite3
import sys
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from longtale.data.intake.mapping import DataSettings, EventSource
from longtale.data.intake.prepare import read_dataset
from longtale.data.intake.sql import _plain, open_engine, read_sql, shown_source
from longtale.errors import MissingExtraError, SettingsError, SourceError

ROWS = pl.DataFrame({"u": ["A", "B", "A"], "i": ["x,1", "y", "z"], "t": [1, 2, 3]})
SOURCE = EventSource(source="e", user="u", item="i", time="t")


def write(frame: pl.DataFrame, path: Path) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    match plain.suffix:
        case ".parquet":
            frame.write_parquet(plain)
        case ".ndjson" | ".jsonl":
            frame.write_ndjson(plain)
        case ".tsv":
            frame.write_csv(plain, separator="\t")
        case ".csv":
            frame.write_csv(plain)
        case _:
            frame.write_csv(plain, separator=";")
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes()))


def fingerprint(folder: Path, source: str, **more: str) -> str:
    values = {**SOURCE.model_dump(exclude_none=True), "source": source, **more}
    return read_dataset(
        DataSettings(events=EventSource.model_validate(values)), folder
    ).dataset.fingerprint


@pytest.fixture
def expected(tmp_path) -> str:
    write(ROWS, tmp_path / "reference.parquet")
    return fingerprint(tmp_path, "reference.parquet")


@pytest.mark.parametrize(
    "name", ["e.csv", "e.tsv", "e.txt", "e.ndjson", "e.jsonl", "e.csv.gz", "e.ndjson.gz"]
)
def test_each_type_of_file_gives_the_same_dataset(tmp_path, expected, name):
    write(ROWS, tmp_path / name)
    assert fingerprint(tmp_path, name) == expected


def test_glob_reads_files_in_the_order_of_their_names(tmp_path, expected):
    (tmp_path / "log").mkdir()
    write(ROWS[2:], tmp_path / "log" / "day-2.csv")
    write(ROWS[:2], tmp_path / "log" / "day-1.csv")
    assert fingerprint(tmp_path, "log/*.csv") == expected


def test_file_name_with_brackets_is_a_name(tmp_path, expected):
    write(ROWS, tmp_path / "e[1].csv")
    assert fingerprint(tmp_path, "e[1].csv") == expected


def test_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path, expected):
    text = ROWS.write_csv(line_terminator="\r\n")
    (tmp_path / "e.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert fingerprint(tmp_path, "e.csv") == expected


def test_line_that_is_no_json_object_is_set_aside(tmp_path):
    (tmp_path / "e.ndjson").write_text('{"u":"A","i":"x","t":1}\nnot json\n[1]\n')
    source = SOURCE.model_copy(update={"source": "e.ndjson"})
    (report,) = read_dataset(DataSettings(events=source, max_bad_share=1), tmp_path).report.tables
    assert (report.n_read, report.n_kept) == (3, 1)
    (refusal,) = report.refusals
    assert refusal.reason == "line is no JSON object"
    assert refusal.examples == ("row 2: not json", "row 3: [1]")
    assert "__" not in (tmp_path / "quarantine" / "events.ndjson").read_text()


def test_repeated_column_name_is_refused(tmp_path):
    (tmp_path / "e.csv").write_text("u,i,u\nA,x,B\n")
    with pytest.raises(SourceError, match=r"names \['u'\] twice"):
        fingerprint(tmp_path, "e.csv")


@pytest.fixture
def database(tmp_path) -> str:
    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table log (u text, i text, t integer)")
        connection.executemany("insert into log values (?, ?, ?)", ROWS.rows())
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_table_of_a_database_gives_the_same_dataset(tmp_path, expected, database):
    assert fingerprint(tmp_path, database, table="log") == expected


def test_query_gives_the_same_dataset(tmp_path, expected, database):
    assert fingerprint(tmp_path, database, query="select * from log order by t") == expected


def test_rows_stream_in_chunks(tmp_path, expected, database, monkeypatch):
    monkeypatch.setattr("longtale.data.intake.tabular.CHUNK_ROWS", 2)
    monkeypatch.setattr("longtale.data.intake.sql.CHUNK_ROWS", 2)
    assert fingerprint(tmp_path, database, table="log") == expected


def test_unknown_table_offers_the_nearest(database):
    with pytest.raises(SourceError, match="has no table 'logs'; it has log; did you mean 'log'"):
        read_sql("events", database, table="logs")


def test_empty_table_is_refused(tmp_path, database):
    with pytest.raises(SourceError, match="holds no rows"):
        fingerprint(tmp_path, database, query="select * from log where t > 99")


def test_wrong_query_is_refused(database):
    with pytest.raises(SourceError, match=r"the query of sqlite.* cannot be read"):
        read_sql("events", database, query="select nothing from nowhere")


def test_password_stands_in_no_message():
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/shop?connect_timeout=1"
    with pytest.raises(SourceError, match=r"me:\*\*\*@127.0.0.1") as caught:
        read_sql("events", url, table="log")
    assert "s3cret" not in str(caught.value)


def test_what_is_no_url_is_refused():
    pytest.importorskip("sqlalchemy")
    with pytest.raises(SourceError, match="not a SQLAlchemy URL"):
        read_sql("events", "://nowhere", table="log")


def test_sql_without_sqlalchemy_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtale\[sql\]'"):
        read_sql("events", "sqlite:///x.db", table="log")


def test_sql_needs_a_table_or_a_query():
    with pytest.raises(SettingsError, match="either 'table' or 'query'"):
        EventSource.parse({"source": "sqlite:///x.db", "user": "u", "item": "i"})


def test_sqlite_file_lies_relative_to_the_settings(tmp_path, expected, database, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert fingerprint(tmp_path, "sqlite:///shop.db", table="log") == expected


def test_missing_sqlite_file_is_refused_and_not_made(tmp_path):
    pytest.importorskip("sqlalchemy")
    with pytest.raises(SourceError, match=r"no SQLite database at '.*shop.db'"):
        read_sql("events", "sqlite:///shop.db", table="log", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_values_of_types_that_only_databases_have_become_text():
    one = UUID(int=7)
    assert _plain(one) == str(one)
    assert _plain(IPv4Address("10.0.0.1")) == "10.0.0.1"


def test_values_that_tables_know_stay_as_they_are():
    for value in (None, 1.5, Decimal("2.50"), datetime(2024, 1, 1, tzinfo=UTC), ["a"], b"x"):
        assert _plain(value) is value


def test_port_that_is_no_number_is_refused():
    pytest.importorskip("sqlalchemy")
    with pytest.raises(SourceError, match="not a SQLAlchemy URL"):
        read_sql("events", "postgresql://me:s3cret@host:54x/shop", table="log")


def test_postgresql_is_read_by_the_driver_of_the_extra():
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    assert open_engine("postgresql://me@host/shop").url.drivername == "postgresql+psycopg"


def test_driver_that_no_extra_brings_is_named():
    pytest.importorskip("sqlalchemy")
    with pytest.raises(SourceError, match="needs the driver 'MySQLdb', which is not installed"):
        read_sql("events", "mysql://me@host/shop", table="log")


def test_password_among_the_options_of_a_url_is_hidden():
    pytest.importorskip("sqlalchemy")
    shown = shown_source("postgresql://me:s3cret@host/shop?password=s3cret")
    assert "s3cret" not in shown
    assert shown_source("log/*.csv") == "log/*.csv"


def test_half_a_surrogate_pair_is_set_aside(tmp_path):
    lines = [
        '{"u":"A","i":"x","t":1}',
        '{"u":"\\ud800","i":"x","t":1}',
        '{"u":"\\u00e9","i":"y","t":2}',
    ]
    (tmp_path / "e.ndjson").write_text("\n".join(lines))
    source = SOURCE.model_copy(update={"source": "e.ndjson"})
    (report,) = read_dataset(DataSettings(events=source, max_bad_share=1), tmp_path).report.tables
    assert (report.n_read, report.n_kept) == (3, 2)


@pytest.mark.parametrize("name", ["e.csv.gz", "e.ndjson.gz"])
@pytest.mark.parametrize("keep", [0.6, 0])
def test_broken_gzip_is_refused(tmp_path, name, keep):
    write(pl.concat([ROWS] * 50).with_row_index("n"), tmp_path / name)
    packed = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(packed[: int(keep * len(packed))] or b"no gzip")
    with pytest.raises(SourceError, match=r"e.*gz' cannot be read: .* export it again"):
        fingerprint(tmp_path, name)


@pytest.mark.parametrize("odd", ['{"a": 1}', "[1, 2]", "[1, [2]]", "true", "1.5", str(1 << 70)])
def test_value_of_another_type_in_a_column_of_text_stops_nothing(tmp_path, odd):
    lines = ['{"u":"A","i":"x","t":1,"n":"y"}', f'{{"u":"A","i":"z","t":2,"n":{odd}}}']
    (tmp_path / "e.ndjson").write_text("\n".join(lines))
    source = SOURCE.model_copy(update={"source": "e.ndjson"})
    found = read_dataset(DataSettings(events=source), tmp_path)
    assert len(found.dataset.interactions) == 2


def test_object_as_an_id_is_its_text(tmp_path):
    (tmp_path / "e.ndjson").write_text('{"u":"A","i":{"n":1},"t":1}\n{"u":"A","i":"x","t":2}')
    source = SOURCE.model_copy(update={"source": "e.ndjson"})
    ids = read_dataset(DataSettings(events=source), tmp_path).dataset.items.ids
    assert ids.to_list() == ['{"n": 1}', "x"]
