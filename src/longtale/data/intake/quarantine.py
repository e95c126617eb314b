"""Rows that cannot be read: set aside in a file with the reason, counted, never lost silently."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from longtale.data.intake.cells import Fault
from longtale.data.intake.table import ROW, SURPLUS, UNREADABLE, Table
from longtale.errors import SourceError, TooManyBadRowsError, did_you_mean

REASON = "reason"
N_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class Refusal:
    """Rows of one table that were set aside for the same reason."""

    reason: str
    hint: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class TableReport:
    """What became of the rows of one table; kept + quarantined + duplicates = read."""

    name: str
    origin: str
    n_read: int
    n_kept: int
    n_duplicates: int = 0
    refusals: tuple[Refusal, ...] = ()
    quarantine_file: str | None = None

    @property
    def n_quarantined(self) -> int:
        """Rows that were set aside."""
        return sum(refusal.count for refusal in self.refusals)

    def as_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {
            "table": self.name,
            "origin": self.origin,
            "read": self.n_read,
            "kept": self.n_kept,
            "duplicates": self.n_duplicates,
            "quarantined": self.n_quarantined,
            "reasons": [
                {"reason": r.reason, "count": r.count, "hint": r.hint, "examples": [*r.examples]}
                for r in self.refusals
            ],
            "quarantine_file": self.quarantine_file,
        }


@dataclass(frozen=True)
class Quarantine:
    """Where bad rows go, and how many are too many.

    Args:
        folder: gets one file per table, `<table>.ndjson`: the number of each row, the reason, its
            cells by column, those beyond the last column where a line has too many, and the line
            itself where it is no JSON object.
        max_bad_share: of the rows of a table, 0 to 1.
    """

    folder: Path
    max_bad_share: float

    def report(
        self,
        table: Table,
        bad: pl.DataFrame,
        faults: Sequence[Fault],
        *,
        n_read: int,
        n_duplicates: int = 0,
    ) -> TableReport:
        """Write the bad rows of a table and account for all of its rows.

        Args:
            table: where the rows are from.
            bad: columns `ROW` and `REASON`, one line per bad row.
            faults: what can be wrong, for the hints.
            n_read: rows of the table.
            n_duplicates: rows that repeat another.

        Raises:
            SourceError: the table holds no rows.
            TooManyBadRowsError: more than `max_bad_share` are bad; they are written all the same.
        """
        if n_read == 0:
            raise SourceError(f"{table.origin} holds no rows, only column names; export it again")
        path = self.folder / f"{table.name}.ndjson"
        path.unlink(missing_ok=True)
        report = TableReport(
            name=table.name,
            origin=table.origin,
            n_read=n_read,
            n_kept=n_read - n_duplicates - len(bad),
            n_duplicates=n_duplicates,
        )
        if bad.is_empty():
            return report
        originals = _originals(table, bad)
        _write(originals, path)
        refusals = _refusals(originals, faults)
        report = replace(report, refusals=refusals, quarantine_file=str(path))
        if len(bad) > self.max_bad_share * n_read:
            raise _too_many(report, self.max_bad_share)
        return report


def _write(originals: pl.DataFrame, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        originals.write_ndjson(path)
    except OSError as error:
        raise SourceError(
            f"{len(originals)} rows cannot be read, and not be set aside in '{path}': "
            f"{error.strerror}; set data.quarantine to a folder that can be written"
        ) from None


def _originals(table: Table, bad: pl.DataFrame) -> pl.DataFrame:
    found = table.frame.join(bad.lazy(), on=ROW, how="inner").sort(ROW)
    wanted = [pl.col(ROW).alias("row"), pl.col(REASON), pl.struct(table.columns).alias("original")]
    if table.can_be_ragged:
        surplus = pl.concat_list(SURPLUS).list.drop_nulls()
        wanted.append(pl.when(surplus.list.len() > 0).then(surplus).alias("surplus"))
    if UNREADABLE in table.schema:
        wanted.append(pl.col(UNREADABLE).alias("line"))
    read = table.collected(found.select(wanted))
    return read.select(column.name for column in read if column.null_count() < len(read))


def _refusals(originals: pl.DataFrame, faults: Sequence[Fault]) -> tuple[Refusal, ...]:
    fault_of = {fault.reason: fault for fault in faults}
    refusals = []
    for (reason,), rows in originals.group_by(REASON, maintain_order=True):
        examples = tuple(
            f"row {row['row']}: {_shown(row)[:_EXAMPLE_CHARACTERS]}"
            for row in rows.head(N_EXAMPLES).to_dicts()
        )
        hint = _hint(fault_of[str(reason)], rows)
        refusals.append(Refusal(str(reason), hint, len(rows), examples))
    return tuple(sorted(refusals, key=lambda refusal: -refusal.count))


def _shown(row: Mapping[str, object]) -> str:
    if row.get("line") is not None:
        return str(row["line"])
    cells = json.dumps(row["original"], ensure_ascii=False, default=str)
    return f"{cells} and {row['surplus']}" if row.get("surplus") else cells


def _hint(fault: Fault, rows: pl.DataFrame) -> str:
    if fault.column is None:
        return fault.hint
    seen = rows["original"].struct.field(fault.column).unique(maintain_order=True).head(N_EXAMPLES)
    shown = [f"'{value}'{did_you_mean(str(value), fault.allowed)}" for value in seen]
    return f"{fault.hint}; seen: {', '.join(shown)}"


def _too_many(report: TableReport, allowed: float) -> TooManyBadRowsError:
    commonest = "; ".join(
        f"{r.count} x {r.reason} ({r.hint})" for r in report.refusals[:N_EXAMPLES]
    )
    return TooManyBadRowsError(
        f"{report.n_quarantined} of {report.n_read} rows of {report.origin} cannot be read, more "
        f"than the allowed share of {allowed:g}: {commonest}; the rows are in "
        f"'{report.quarantine_file}'; mend them, or raise data.max_bad_share"
    )
