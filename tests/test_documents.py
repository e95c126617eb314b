"""Documents are true: what they show runs, and what is made from the code is up to date.

Blocks marked `python` run in a folder with a small trained project, all of one page in one go.
Lines that begin with `longtale` or `$ longtale` in blocks marked `console`, `bash` or `sh` must be
commands with arguments that exist. Blocks marked `toml` must be settings that can be read.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from tests.cli.films import write_films
from typer.main import get_group

from longtale.cli.main import app, run
from longtale.cli.pages import pages
from longtale.cli.reference import described
from longtale.data.filters import filter as filter_grammar
from longtale.data.intake.mapping import (
    EventSource,
    ImpressionSource,
    ItemSource,
    TagSource,
    UserSource,
)
from longtale.data.splits.bands import BANDS
from longtale.data.splits.split import ProtocolName
from longtale.evaluate.harness import USER_SLICES
from longtale.evaluate.measures import METRICS
from longtale.recommend.settings import LongtaleSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks_of(document: Path, *marks: str) -> list[str]:
    """Give the blocks of a document that carry one of these marks."""
    found = _BLOCK.findall(document.read_text(encoding="utf-8"))
    return [code for mark, code in found if mark.strip() in marks]


def command_lines() -> list[tuple[str, str]]:
    """Give each line of a document that calls the command line, with the name of the document."""
    return [
        (document.name, line.removeprefix("$ "))
        for document in DOCUMENTS
        for block in blocks_of(document, "console", "bash", "sh")
        for line in block.splitlines()
        if re.match(r"(\$ )?longtale\b", line)
    ]


def with_mark(mark: str) -> list[Path]:
    return [document for document in DOCUMENTS if blocks_of(document, mark)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_films(tmp_path_factory.mktemp("documents"))
    assert run(["train", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("document", with_mark("python"), ids=lambda path: path.name)
def test_code_in_documents_runs(document, project, monkeypatch):
    monkeypatch.chdir(project)
    code = "\n".join(blocks_of(document, "python"))
    if "fit_heads" in code:
        pytest.importorskip("torch")
    exec(code, {"__name__": document.stem})


@pytest.mark.parametrize(("document", "line"), command_lines())
def test_commands_in_documents_exist(document, line):
    group = get_group(app)
    name, *arguments = shlex.split(line, comments=True)[1:] or ["--help"]
    if name.startswith("-"):
        return
    assert name in group.commands, f"{document}: there is no command '{name}'"
    group.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("document", with_mark("toml"), ids=lambda path: path.name)
def test_settings_in_documents_can_be_read(document):
    for block in blocks_of(document, "toml"):
        LongtaleSettings.parse(tomllib.loads(block))


def test_the_page_about_data_holds_the_grammar_of_filters_and_every_key():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    rules = re.findall(r"^    (?:[a-z]+ +=| +\|) .*$", filter_grammar.__doc__ or "", re.MULTILINE)
    assert len(rules) == 9
    for rule in rules:
        assert rule in page
    for source in (EventSource, ItemSource, UserSource, TagSource, ImpressionSource):
        for key in source.model_fields:
            assert f"`{key}`" in page, f"{source.__name__}.{key}"


def test_the_page_about_evaluation_holds_every_protocol_metric_and_slice():
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    metrics = [name if name == "auc" else f"{name}@k" for name in METRICS]
    slices = ["all", *(f"{band}-items" for band in BANDS), *USER_SLICES]
    for word in [*ProtocolName, *metrics, *slices]:
        assert f"`{word}`" in page, word


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_as_the_code_says(name):
    stored = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert stored == pages()[name], "regenerate it with: make docs"


def test_the_commands_page_holds_every_option():
    page = pages()["commands.md"]
    for name, command in get_group(app).commands.items():
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        shared = page.split("\n## ")[0]
        for option in (opt for parameter in command.params for opt in parameter.opts):
            assert option in section or option in shared, f"{name} {option}"


def test_every_setting_has_help_and_a_place_on_the_page():
    page = pages()["settings.md"]
    for each in described(LongtaleSettings):
        assert each.help, f"{each.key} has no docstring"
        assert f"`{each.key.rpartition('.')[2]}`" in page
