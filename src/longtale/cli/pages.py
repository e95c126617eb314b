"""The pages of `docs/` that are made from the code: every setting, every command."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

import typer
from typer.main import get_group

from longtale.cli.main import EXIT_CODES, app
from longtale.cli.reference import Described, described
from longtale.recommend.settings import LongtaleSettings

_MADE = "<!-- Made by scripts/reference.py; `make docs` makes it again. -->"
_ABOUT_SETTINGS = """\
They stand in `longtale.toml`. An environment variable such as `LONGTALE_MODELS__EASE__L2=100` goes
before the file, and `--set models.ease.l2=100` on the command line before both. Unknown keys are
refused. `longtale settings` shows this page in the terminal."""
_ABOUT_COMMANDS = """\
Every command also takes `--json` (exactly one JSON document on standard output, also for an error:
`{"error": {"type", "message", "exit_code"}}`), `--verbose` (a log line per stage on standard error)
and `--debug` (the traceback of an unexpected error; so does `LONGTALE_DEBUG=1`).
`longtale --install-completion` makes the shell complete commands, options and keys of `--set`."""
_SHARED = ("--json", "--verbose", "--debug")


def pages() -> Mapping[str, str]:
    """Give the content of each page by its path below `docs/`."""
    return {"settings.md": settings_page(), "commands.md": commands_page()}


def settings_page() -> str:
    """Write every setting, section by section."""
    sections: dict[str, list[Described]] = {}
    for each in described(LongtaleSettings):
        sections.setdefault(each.key.rpartition(".")[0], []).append(each)
    lines = ["# Settings", "", _MADE, "", _ABOUT_SETTINGS]
    for section, entries in sections.items():
        lines += ["", f"## {_title(section)}", ""]
        rows = [
            [f"`{each.key.rpartition('.')[2]}`", each.type, each.default, each.help]
            for each in entries
        ]
        lines += _table(["key", "type", "default", "what it does"], rows)
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Write every command with its arguments and options."""
    lines = ["# Commands", "", _MADE, "", _ABOUT_COMMANDS, ""]
    lines += _table(["exit code", "meaning"], [[str(c), text] for c, text in EXIT_CODES.items()])
    group = get_group(app)
    context = typer.Context(group, info_name="longtale")
    for name, command in group.commands.items():
        own = typer.Context(command, info_name=name, parent=context)
        usage = " ".join(["longtale", name, *command.collect_usage_pieces(own)])
        records = [p.get_help_record(own) for p in command.params if p.opts[0] not in _SHARED]
        rows = [[f"`{option}`", text] for option, text in filter(None, records)]
        lines += ["", f"## {name}", "", "```text", usage, "```", ""]
        lines += [inspect.cleandoc(command.help or "")]
        lines += ["", *_table(["argument or option", "meaning"], rows)] if rows else []
    return "\n".join(lines) + "\n"


def _title(section: str) -> str:
    if section.endswith("[]"):
        return f"`[[{section.removesuffix('[]')}]]`"
    return f"`[{section}]`" if section else "At the top"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    columns = list(header)
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
