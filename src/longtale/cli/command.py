"""What every command shares: it gives an outcome, which is shown to people or written as JSON.

With `--json` standard output holds exactly one JSON document, the outcome or
`{"error": {"type", "message", "exit_code"}}`; progress and log lines go to standard error.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console

WIDE = 1000
"""Columns where nobody looks: a table in a pipe or file is never wrapped."""

Draw = Callable[[Console], None]
Command = Callable[..., "Outcome"]

_SHARED: Mapping[str, object] = {
    "as_json": Annotated[
        bool, typer.Option("--json", help="Write one JSON document, also for an error.")
    ],
    "verbose": Annotated[
        bool, typer.Option("--verbose", "-v", help="Log each stage to standard error.")
    ],
    "debug": Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ],
}


@dataclass(frozen=True)
class Outcome:
    """What a command gives.

    Args:
        values: plain values, for `--json`.
        draw: shows the same to people.
        exit_code: 0 unless what was looked at is broken.
    """

    values: Mapping[str, Any]
    draw: Draw
    exit_code: int = 0


def add_command(app: typer.Typer, function: Command) -> None:
    """Make a command of a function that gives an outcome; its name and docstring are the help."""

    @wraps(function)
    def command(*, as_json: bool, verbose: bool, debug: bool, **given: object) -> int:
        log_to_stderr(verbose=verbose)
        outcome = function(**given)
        if as_json:
            write_json(outcome.values)
        else:
            outcome.draw(console())
        return outcome.exit_code

    own = inspect.signature(function, eval_str=True)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=hint)
        for name, hint in _SHARED.items()
    ]
    with_shared = own.replace(parameters=[*own.parameters.values(), *shared])
    vars(command)["__signature__"] = with_shared
    app.command(function.__name__)(command)


def console(*, stderr: bool = False) -> Console:
    """Give the console; where nobody looks it is wide and plain, and NO_COLOR is honoured."""
    shown = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not shown.is_terminal:
        shown.width = WIDE
    return shown


def write_json(values: Mapping[str, Any]) -> None:
    """Write one JSON document; ids stay readable where the terminal can show them."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    # A lone surrogate in an argument cannot be written as UTF-8.
    text = json.dumps(values, indent=2, ensure_ascii=not is_unicode, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def log_to_stderr(*, verbose: bool) -> None:
    """Show warnings of the library, and with `verbose` a line per stage."""
    logger = logging.getLogger("longtale")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if not logger.handlers:
        logger.addHandler(_Lines())


class _Lines(logging.Handler):
    """Writes to the standard error of the moment, which a progress bar may have taken over."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)
