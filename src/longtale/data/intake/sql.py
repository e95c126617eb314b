"""A SQL database as a table, read some thousand rows at a time from a server-side cursor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from longtale.data.intake.table import ROW, Table
from longtale.data.intake.tabular import CHUNK_ROWS, frame_of
from longtale.errors import MissingExtraError, SourceError, did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_POSTGRESQL = "psycopg"
"""The driver that the extra `sql` brings."""
_TYPES = (str, bool, int, float, Decimal, date, time, timedelta, bytes, list, tuple, dict)


def read_sql(
    name: str,
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    folder: Path = Path(),
) -> Table:
    """Read a table, or what a query gives.

    Args:
        name: what it is to Longtale, such as events.
        url: of SQLAlchemy, such as `postgresql+psycopg://user:password@host/database`.
        table: a table or view, `schema.table` where it is not in the default schema.
        query: a SELECT statement, in place of a table.
        folder: what the path of a SQLite file is relative to.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        SourceError: no connection, no such table, or a wrong query; never shows the password.
    """
    engine = open_engine(url, folder)
    what = "the query" if table is None else f"table '{table}'"
    origin = f"{what} of {shown_url(engine)}"
    frame = _collected(engine, origin, table, query).with_row_index(ROW, offset=1)
    return Table(name, origin, frame.lazy(), frame.schema)


def samples_of(url: str, n_rows: int) -> list[Table]:
    """Give the first rows of every table of a database, by name; raises as `read_sql` does."""
    engine = open_engine(url)
    import sqlalchemy

    try:
        names = sorted(sqlalchemy.inspect(engine).get_table_names())
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _unreadable(engine, shown_url(engine), error) from None
    samples = []
    for name in names:
        origin = f"table '{name}' of {shown_url(engine)}"
        frame = _collected(engine, origin, name, None, n_rows=n_rows).with_row_index(ROW, offset=1)
        samples.append(Table(name, origin, frame.lazy(), frame.schema))
    return samples


def open_engine(url: str, folder: Path = Path()) -> Engine:
    """Give the engine of a URL; it connects when it is first used.

    Raises:
        MissingExtraError: SQLAlchemy or the driver is not installed.
        SourceError: it is no SQLAlchemy URL, or its driver or SQLite file is not there.
    """
    try:
        import sqlalchemy
    except ModuleNotFoundError:
        raise MissingExtraError(
            "sqlalchemy", extra="sql", purpose="reading a SQL database"
        ) from None
    try:
        return sqlalchemy.create_engine(_found(sqlalchemy.make_url(url), folder))
    except ModuleNotFoundError as error:
        raise _without_driver(error.name or "the driver") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise SourceError(
            "the SQL source is not a SQLAlchemy URL; one looks like sqlite:///file.db or "
            "postgresql+psycopg://user:password@host/database"
        ) from None


def _without_driver(driver: str) -> MissingExtraError | SourceError:
    if driver == _POSTGRESQL:
        return MissingExtraError(driver, extra="sql", purpose="reading PostgreSQL")
    return SourceError(
        f"this database needs the driver '{driver}', which is not installed; install its package, "
        "or name one that is in the URL, such as mysql+pymysql://"
    )


def _found(url: URL, folder: Path) -> URL:
    """Name our driver of PostgreSQL, and look for the file of SQLite, which else is made anew."""
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername=f"postgresql+{_POSTGRESQL}")
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return url
    file = Path(folder, name)
    if not file.is_file():
        raise SourceError(
            f"there is no SQLite database at '{file}'; "
            "three slashes stand before a relative path, four before an absolute one"
        )
    return url.set(database=str(file))


def shown_url(engine: Engine) -> str:
    """Give the URL of an engine for messages, the password hidden."""
    return _without_password(engine.url)


def shown_source(source: str) -> str:
    """Give a source for people: a file as it is, a URL with its password hidden."""
    if "://" not in source:
        return source
    import sqlalchemy

    return _without_password(sqlalchemy.make_url(source))


def _without_password(url: URL) -> str:
    hidden = dict.fromkeys((key for key in url.query if "pass" in key.lower()), "hidden")
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _collected(
    engine: Engine, origin: str, table: str | None, query: str | None, n_rows: int | None = None
) -> pl.DataFrame:
    import sqlalchemy

    try:
        statement = _statement(engine, table, query)
        if n_rows is not None:
            statement = statement.limit(n_rows)
        with engine.connect().execution_options(yield_per=CHUNK_ROWS) as connection:
            result = connection.execute(statement)
            columns = list(result.keys())
            frame = frame_of(_rows(result))
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _unreadable(engine, origin, error) from None
    finally:
        engine.dispose()
    return frame if frame.width else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _rows(result: Any) -> Iterator[dict[str, object]]:
    for row in result.mappings():
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    """Give as text what a table here has no type for: UUIDs, addresses, ranges."""
    return value if value is None or isinstance(value, _TYPES) else str(value)


def _statement(engine: Engine, table: str | None, query: str | None) -> Any:
    import sqlalchemy

    if query is not None:
        return sqlalchemy.text(query)
    schema, _, name = str(table).rpartition(".")
    inspector = sqlalchemy.inspect(engine)
    known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if name not in known:
        raise SourceError(
            f"{shown_url(engine)} has no table '{table}'; "
            f"it has {', '.join(known) or 'none'}{did_you_mean(name, known)}"
        )
    return sqlalchemy.select(sqlalchemy.text("*")).select_from(
        sqlalchemy.table(name, schema=schema or None)
    )


def _unreadable(engine: Engine, origin: str, error: Exception) -> SourceError:
    reason = str(getattr(error, "orig", None) or error).strip()
    password = engine.url.password
    if password:
        reason = reason.replace(str(password), "***")
    return SourceError(f"{origin} cannot be read: {reason[:500]}")
