"""Every error that Longtale raises on purpose, with the exit code that the command line gives it.

    LongtaleError                 exit  what the caller can act on
    ├── SettingsError              2    a setting is unknown, of the wrong type or out of range
    ├── MissingExtraError          6    an optional dependency is not installed
    ├── DataError                  3    what was read cannot be used
    │   ├── SourceError                 a file, table or address cannot be read
    │   ├── ColumnError                 a column is missing or of the wrong type
    │   ├── TooManyBadRowsError         more rows went to quarantine than allowed
    │   └── SplitError                  the data cannot be cut as asked
    ├── UnknownIdError             4    a user or item that does not exist
    ├── QueryError                 2    a request that cannot be answered as asked
    │   └── FilterError                 a filter expression cannot be parsed or applied
    ├── EncoderError               3    a language model cannot be loaded or run
    ├── ProtocolMismatchError      3    two results that must not be compared
    ├── BundleError                5    a bundle is not whole
    │   ├── BundleCorruptError          a part is missing, added or changed
    │   └── BundleFormatError           written by a newer Longtale, or not a bundle
    ├── StoreError                 7    the store of events cannot be reached or written
    └── ServiceError               7    a running service cannot be reached, or refuses

A message says what is wrong, the value seen, what is allowed and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LongtaleError(Exception):
    """The root of the tree: catch this to catch everything raised on purpose."""

    exit_code = 1


class SettingsError(LongtaleError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_code = 2


class MissingExtraError(LongtaleError):
    """An optional dependency is not installed; the message names the command that installs it."""

    exit_code = 6

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'longtale[{extra}]'"
        )


class DataError(LongtaleError):
    """What was read cannot be used."""

    exit_code = 3


class SourceError(DataError):
    """A file, table or address cannot be read."""


class ColumnError(DataError):
    """A column is missing or of the wrong type."""


class TooManyBadRowsError(DataError):
    """More rows went to quarantine than the settings allow."""


class SplitError(DataError):
    """The data cannot be cut as asked."""


class UnknownIdError(LongtaleError):
    """A user or item that does not exist."""

    exit_code = 4


class QueryError(LongtaleError):
    """A request that cannot be answered as asked."""

    exit_code = 2


class FilterError(QueryError):
    """A filter expression cannot be parsed or applied."""


class EncoderError(LongtaleError):
    """A language model cannot be loaded or run."""

    exit_code = 3


class ProtocolMismatchError(LongtaleError):
    """Two results of different protocols must not be compared."""

    exit_code = 3


class BundleError(LongtaleError):
    """A bundle is not whole."""

    exit_code = 5


class BundleCorruptError(BundleError):
    """A part of a bundle is missing, was added or was changed."""


class BundleFormatError(BundleError):
    """The folder is no bundle, or a newer Longtale wrote it."""


class StoreError(LongtaleError):
    """The store of events cannot be reached or written."""

    exit_code = 7


class ServiceError(LongtaleError):
    """A running service cannot be reached, or refuses what it was asked."""

    exit_code = 7


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """Give `; did you mean 'click'?` when one of `allowed` is close to `value`, else nothing.

    Example:
        >>> did_you_mean("clik", ["view", "click"])
        "; did you mean 'click'?"
    """
    close = difflib.get_close_matches(value, list(allowed), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
