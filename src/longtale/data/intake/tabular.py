"""Files as tables: CSV and TSV, Parquet, NDJSON; one file or a glob, plain or `.gz`.

Every cell of a text file is read as text, so that no guess about types can lose a character; what a
cell means is decided in `cells.py`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, cast

import polars as pl

from longtale.data.intake.table import ROW, SURPLUS, UNREADABLE, Table
from longtale.errors import SourceError

DELIMITERS = ",\t;|"
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".ndjson", ".jsonl")
BLOCK_BYTES = 1 << 24
CHUNK_ROWS = 50_000


def files_of(source: str, folder: Path) -> list[Path]:
    """Give the files that a path or glob names, in the order of their names.

    Raises:
        SourceError: there is none; says what lies in the folder instead.
    """
    path = Path(folder, source).expanduser()
    found = [path] if path.is_file() else sorted(_matching(path))
    if not found:
        beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise SourceError(
            f"no file at '{path}'; "
            + (
                f"that folder holds {', '.join(beside[:10]) or 'nothing'}"
                if path.parent.is_dir()
                else f"there is no folder '{path.parent}'"
            )
        )
    return found


def _matching(pattern: Path) -> Iterator[Path]:
    parts = pattern.parts
    wild = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    if wild == len(parts):
        return iter(())
    return filter(Path.is_file, Path(*parts[:wild]).glob(str(Path(*parts[wild:]))))


def scan_files(name: str, source: str, folder: Path) -> Table:
    """Find a table in one file or several with the same columns.

    Raises:
        SourceError: a file is missing, empty, of an unknown type, or in the wrong encoding.
    """
    files = files_of(source, folder)
    frames = [_scan(file) for file in files]
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    frame = frame.with_row_index(ROW, offset=1)
    schema = frame.collect_schema()
    if SURPLUS[0] in schema:
        # A blank line holds nothing that could be lost.
        frame = frame.filter(pl.any_horizontal(pl.exclude(ROW).is_not_null()))
    origin = f"'{files[0]}'" if len(files) == 1 else f"'{Path(folder, source)}'"
    return Table(name, origin, frame, schema)


def _scan(file: Path) -> pl.LazyFrame:
    try:
        return _opened_by_kind(file)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"'{file}' cannot be read: {error}; export it again, and see who may read it"
        ) from None


def _opened_by_kind(file: Path) -> pl.LazyFrame:
    kind = suffix_of(file)
    if file.stat().st_size == 0:
        raise SourceError(f"'{file}' is empty (0 bytes); export it again, with a header line")
    if kind == ".parquet":
        return _scan_parquet(file)
    if kind in (".ndjson", ".jsonl"):
        return _read_ndjson(file).lazy()
    if kind in (".csv", ".tsv", ".txt"):
        return _scan_csv(file)
    raise SourceError(
        f"'{file}' is of a type that cannot be read; expected one of {', '.join(SUFFIXES)}, "
        "the text types also with .gz behind"
    )


def suffix_of(file: Path) -> str:
    """Give the suffix that tells the type, without a `.gz` behind it."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((s for s in reversed(suffixes) if s != ".gz"), "")


def _scan_parquet(file: Path) -> pl.LazyFrame:
    try:
        frame = pl.scan_parquet(file, glob=False)
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"'{file}' cannot be read as Parquet: {error}") from error
    return frame


def _scan_csv(file: Path) -> pl.LazyFrame:
    check_encoding(file)
    delimiter, header = read_header(file)
    columns = [*header, *SURPLUS]
    return pl.scan_csv(
        file,
        glob=False,
        separator=delimiter,
        schema=dict.fromkeys(columns, pl.String),
        missing_columns="insert",
        extra_columns="ignore",
    )


def check_encoding(file: Path) -> None:
    """See that a text file is UTF-8.

    Raises:
        SourceError: it is not; names the first wrong byte and how to convert the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with _opened(file) as stream:
        while True:
            block = stream.read(BLOCK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise _not_utf8(file, offset - pending + error.start, error) from None
            if not block:
                return
            offset += len(block)


def _not_utf8(file: Path, offset: int, error: UnicodeDecodeError) -> SourceError:
    with _opened(file) as stream:
        is_utf16 = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    likely = "UTF-16" if is_utf16 else "WINDOWS-1252"
    return SourceError(
        f"'{file}' is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {offset}; "
        f"it is probably {likely}; convert it with: "
        f"iconv -f {likely} -t UTF-8 '{file.name}' > converted.csv"
    )


def read_header(file: Path) -> tuple[str, list[str]]:
    """Give the delimiter of a text table, told by its header line, and the column names.

    Raises:
        SourceError: the header is blank or names a column twice.
    """
    with _opened(file) as stream:
        line = stream.readline().decode("utf-8-sig").rstrip("\r\n")
    delimiter = "\t" if suffix_of(file) == ".tsv" else max(DELIMITERS, key=line.count)
    header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if not any(header) or repeated:
        fault = f"names {repeated} twice" if any(header) else "is blank"
        raise SourceError(f"the header line of '{file}' {fault}; give each column one name")
    return delimiter, [name or f"column_{i + 1}" for i, name in enumerate(header)]


def _read_ndjson(file: Path) -> pl.DataFrame:
    check_encoding(file)
    with _opened(file) as stream:
        rows = (_object(line) for line in stream if line.strip())
        return frame_of(rows)


def _object(line: bytes) -> dict[str, object]:
    try:
        found = json.loads(line)
        if b"\\u" in line:  # half of a surrogate pair is no character
            json.dumps(found, ensure_ascii=False).encode()
    except (json.JSONDecodeError, RecursionError, UnicodeEncodeError):
        found = None
    if isinstance(found, dict):
        return found
    return {UNREADABLE: line.decode().strip()}


def frame_of(rows: Iterator[dict[str, object]]) -> pl.DataFrame:
    """Collect rows of plain values, some thousand at a time, into one table.

    Objects within a row become their JSON text; so do lists in a column that also holds other
    things, and integers beyond 64 bits.
    """
    chunks = []
    while chunk := list(islice(rows, CHUNK_ROWS)):
        try:
            chunks.append(_frame([_told(row, dict) for row in chunk]))
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            chunks.append(_frame([_told(row, (dict, list)) for row in chunk]))
    return pl.concat(chunks, how="diagonal_relaxed") if chunks else pl.DataFrame()


def _frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


def _told(row: dict[str, object], kinds: type | tuple[type, ...]) -> dict[str, object]:
    return {
        name: json.dumps(value, ensure_ascii=False, default=str)
        if isinstance(value, kinds) or (isinstance(value, int) and abs(value) >= 1 << 63)
        else value
        for name, value in row.items()
    }


def _opened(file: Path) -> IO[bytes]:
    if file.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(file, "rb"))
    return file.open("rb")
