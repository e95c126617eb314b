"""The command `longtale`: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from longtale import __version__
from longtale.cli.ask import recommend, search, similar
from longtale.cli.command import add_command, console, write_json
from longtale.cli.compressing import compress
from longtale.cli.demo import demo
from longtale.cli.doctor import doctor
from longtale.cli.explaining import explain
from longtale.cli.offline import check, evaluate, init, train
from longtale.cli.operate import keys, serve
from longtale.cli.reliability import reliability
from longtale.cli.settings import settings
from longtale.cli.tuning import tune
from longtale.cli.workshop import distil, finetune, pretrain
from longtale.errors import LongtaleError

STOPPED = 130
EXIT_CODES = {
    0: "all is well",
    1: "a fault of longtale; of `doctor`: something that is needed is broken; of `reliability`: a "
    "promise is broken",
    2: "a wrong argument or setting",
    3: "data, a language model or a file that cannot be used",
    4: "no such user or item",
    5: "a bundle that is not whole",
    6: "an extra is not installed",
    7: "a store or a running service that cannot be reached",
    STOPPED: "stopped by hand",
}

app = typer.Typer(
    name="longtale",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS = (
    demo,
    init,
    check,
    train,
    tune,
    pretrain,
    finetune,
    distil,
    compress,
    evaluate,
    recommend,
    similar,
    search,
    explain,
    serve,
    keys,
    reliability,
    settings,
    doctor,
)
for each in COMMANDS:
    add_command(app, each)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"longtale {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def longtale(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recommend and search catalogues that have words in them.

    Begin with `longtale demo`, or with `longtale init FOLDER` where your own data lie.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command of this process."""
    # Ids and titles are in many scripts; a terminal that cannot show them gets their escapes.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; every error becomes a message."""
    options = _before_dashes(arguments)
    as_json = "--json" in options
    try:
        code = app(list(arguments), standalone_mode=False, prog_name="longtale")
    except LongtaleError as error:
        return _failed(error, str(error), error.exit_code, as_json=as_json)
    except typer.TyperException as error:
        return _failed(error, _usage_message(error), 2, as_json=as_json)
    except Exception as error:
        if "--debug" in options or os.environ.get("LONGTALE_DEBUG", "0") not in ("", "0"):
            raise
        if isinstance(error, OSError) and error.strerror:
            return _failed(error, _file_message(error), 3, as_json=as_json)
        message = (
            f"unexpected {type(error).__name__}: {error}\n"
            "this is a fault of longtale; see where it happened with: --debug or LONGTALE_DEBUG=1"
        )
        return _failed(error, message, 1, as_json=as_json)
    if code == STOPPED:
        return _failed(KeyboardInterrupt(), "stopped", STOPPED, as_json=as_json)
    return int(code or 0)


def _file_message(error: OSError) -> str:
    file = "a file" if error.filename is None else f"'{error.filename}'"
    return (
        f"{file} cannot be used: {error.strerror}; "
        "see that its folder is there and can be written, and that the disk has room"
    )


def _before_dashes(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _usage_message(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    return message if context is None else f"{message}\nsee: {context.command_path} --help"


def _failed(error: BaseException, message: str, code: int, *, as_json: bool) -> int:
    if as_json:
        kind = type(error).__name__
        write_json({"error": {"type": kind, "message": message, "exit_code": code}})
    else:
        console(stderr=True).print(f"longtale: {message}", style="red", soft_wrap=True)
    return code
