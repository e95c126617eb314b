"""A trained project, and a way to run the command line in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.films import write_films

from longtale.cli.main import run


@dataclass(frozen=True)
class Ran:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]
TINY = "tiny/encoder"
"""Where `tiny_films` keep their language model."""


@pytest.fixture(scope="session")
def trained_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films with their bundle; nobody writes here."""
    folder = write_films(tmp_path_factory.mktemp("films"))
    assert run(["train", str(folder)]) == 0
    return folder


@pytest.fixture
def films(trained_films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained films, in which the command line runs."""
    folder = tmp_path / "films"
    shutil.copytree(trained_films, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LONGTALE_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def tiny_films(films: Path) -> Path:
    """The films with a tiny language model beside the settings."""
    pytest.importorskip("torch")
    pytest.importorskip("datasets")
    from tests.language.tiny import tiny_encoder

    texts = (films / "items.csv").read_text(encoding="utf-8").splitlines()
    tiny_encoder(films / "tiny", texts)
    file = films / "longtale.toml"
    text = file.read_text(encoding="utf-8").replace(
        '"hashed"', f'"{TINY}"  # ours\nengine = "torch"'
    )
    file.write_text(text, encoding="utf-8")
    return films


@pytest.fixture
def longtale(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line with these arguments, and give what it wrote."""

    def run_it(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(list(arguments))
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run_it
