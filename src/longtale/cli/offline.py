"""From files to a trained and measured recommender: `init`, `check`, `train`, `evaluate`."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from longtale.cli.command import Outcome
from longtale.cli.options import (
    DEFAULT_CONFIG,
    Changes,
    Config,
    ProtocolChoice,
    QualityOption,
    open_project,
)
from longtale.cli.progress import showing_progress
from longtale.cli.render import safe, table_of
from longtale.cli.reports import draw_inferred, draw_intake, draw_report
from longtale.errors import SettingsError

if TYPE_CHECKING:
    from longtale.data.dataset import Dataset
    from longtale.data.intake.mapping import DataSettings
    from longtale.evaluate.report import Report
    from longtale.recommend.pipeline import Recommender
    from longtale.recommend.project import Project
    from longtale.recommend.settings import LongtaleSettings


def init(
    place: Annotated[
        str, typer.Argument(help="Folder with the files, or the SQLAlchemy URL of a database.")
    ] = ".",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a longtale.toml that is there.")
    ] = False,
) -> Outcome:
    """Look at your data and write longtale.toml.

    Says which column was taken for what, and what it is not sure of.
    """
    from longtale.data.inference.infer import infer
    from longtale.data.inference.render import render_toml

    folder = Path() if "://" in place else Path(place)
    file = folder / DEFAULT_CONFIG
    if file.exists() and not force:
        raise SettingsError(f"'{file}' is there already; write over it with --force")
    inferred = infer(place)
    file.write_text(render_toml(inferred.settings, inferred.findings), encoding="utf-8")
    then = "longtale check" if folder == Path() else f"longtale check {shlex.quote(str(folder))}"
    values = {
        "settings_file": str(file),
        "data": _shown(inferred.settings),
        "unsure": [asdict(finding) for finding in inferred.findings],
        "next": then,
    }
    return Outcome(values, lambda console: draw_inferred(console, values))


def _shown(settings: DataSettings) -> dict[str, Any]:
    from longtale.data.intake.sql import shown_source

    values = settings.model_dump(mode="json", exclude_none=True)
    for part in values.values():
        if isinstance(part, dict):
            part["source"] = shown_source(part["source"])
    return values


def check(config: Config = DEFAULT_CONFIG, changes: Changes = None) -> Outcome:
    """Say what is well and what is wrong with the data.

    Says how many rows, why, and how to mend it. Rows that cannot be read are kept in `quarantine`.
    """
    project = open_project(config, changes)
    with showing_progress() as progress, progress.stage("read data", total=None):
        intake = project.intake()
    facts = _facts(intake.dataset)
    return Outcome(
        {**intake.report.as_dict(), "facts": facts},
        lambda console: draw_intake(console, intake.report, facts),
    )


def train(
    config: Config = DEFAULT_CONFIG,
    quality: QualityOption = "balanced",
    has_log: Annotated[
        bool,
        typer.Option("--log/--no-log", help="Learn also from what the service wrote down."),
    ] = True,
    changes: Changes = None,
) -> Outcome:
    """Train on all data and write the bundle; what was cut off goes on where it was.

    What a service wrote into its store since is data too: events, items, and whom to forget.
    """
    from longtale.recommend.bundle import save
    from longtale.recommend.train import train as fit

    start = time.perf_counter()
    project = open_project(config, changes)
    with showing_progress() as progress:
        with progress.stage("read data", total=None):
            dataset, log_seq = project.intake().dataset, 0
            if has_log:
                dataset, log_seq = with_log(project, dataset)
        unfinished = unfinished_training(project.bundle, dataset, project.settings)
        recommender = fit(
            dataset, project.settings, quality=quality, progress=progress, checkpoints=unfinished
        )
        with progress.stage("write bundle", total=None):
            save(replace(recommender, log_seq=log_seq), project.bundle)
        shutil.rmtree(unfinished.parent, ignore_errors=True)
    summary = trained_summary(recommender, project.bundle, time.perf_counter() - start)
    return Outcome(summary, lambda console: draw_trained(console, summary))


def with_log(project: Project, dataset: Dataset) -> tuple[Dataset, int]:
    """Give the data with what the project's service wrote down, and how far that was read.

    Raises:
        StoreError: there is a store, and it cannot be read.
    """
    from longtale.feedback.stores import has_store, open_store

    url = project.settings.serve.store
    if not has_store(url, project.folder):
        return dataset, 0
    from longtale.serve.retraining import with_log as told

    store = open_store(url, project.folder)
    try:
        return told(dataset, store, project.settings.data.all_kinds())
    finally:
        store.close()


def unfinished_training(bundle: Path, dataset: Dataset, settings: LongtaleSettings) -> Path:
    """Give the folder beside a bundle in which training of just these data and settings goes on."""
    content = dataset.fingerprint + settings.model_dump_json()
    name = hashlib.sha256(content.encode()).hexdigest()[:12]
    folder = bundle.with_name(f"{bundle.name}.training") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def evaluate(
    config: Config = DEFAULT_CONFIG,
    protocol: Annotated[
        ProtocolChoice, typer.Option("--protocol", "-p", help="How the data is cut for the test.")
    ] = "refit",
    quality: QualityOption = "balanced",
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown.")] = False,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Folder for plots as PNG and SVG.")
    ] = None,
    changes: Changes = None,
) -> Outcome:
    """Measure the blend and each of its parts, by slice.

    Every item of the catalogue is ranked; what a user has seen is masked; ties count half.
    """
    from longtale.recommend.train import measure

    project = open_project(config, changes)
    with showing_progress() as progress:
        with progress.stage("read data", total=None):
            dataset = project.intake().dataset
        report = measure(dataset, protocol, project.settings, quality=quality, progress=progress)
    if plots is not None:
        _write_plots(report, plots)
    if markdown:
        return Outcome(report.as_dict(), lambda console: console.print(report.markdown(), end=""))
    return report_outcome(report, seed=project.settings.split.seed)


def _write_plots(report: Report, folder: Path) -> None:
    from longtale.evaluate import plots

    folder.mkdir(parents=True, exist_ok=True)
    metric = report.metrics[0]
    coverage = next((name for name in report.metrics if name.startswith("coverage")), None)
    for ending in ("png", "svg"):
        plots.plot_slices(report, folder / f"slices.{ending}", metric=metric)
        if coverage is not None:
            path = folder / f"trade-off.{ending}"
            plots.plot_trade_off(report, path, across=coverage, up=metric)


def report_outcome(report: Report, *, seed: int) -> Outcome:
    """Give a report as JSON, or as tables with paired tests of the blend against its parts."""
    return Outcome(report.as_dict(), lambda console: _draw_report(console, report, seed))


def _draw_report(console: Console, report: Report, seed: int) -> None:
    from longtale.evaluate.comparison import paired
    from longtale.seeds import generator

    metric = report.metrics[0]
    blend, *parts = report.models
    has_users = (blend, "all", metric) in report.per_user
    rng = generator(seed, "paired tests")
    tests = paired(report, blend, parts, metric, rng=rng) if has_users and parts else ()
    draw_report(console, report, metric, tests)


def trained_summary(recommender: Recommender, bundle: Path, seconds: float) -> dict[str, Any]:
    """Give what was trained, as plain values."""
    hybrid, dataset = recommender.hybrid, recommender.dataset
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    return {
        "bundle": str(bundle),
        "version": recommender.version,
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": len(dataset.interactions),
        "weights": dict(
            zip(hybrid.sources, hybrid.blender.state()["weights"].tolist(), strict=True)
        ),
        "bundle_mb": round(size / 1e6, 1),
        "seconds": round(seconds, 1),
    }


def draw_trained(console: Console, summary: Mapping[str, Any]) -> None:
    """Show what was trained and how far each source is trusted."""
    console.print(
        f"✓ trained on {summary['interactions']:,} interactions of {summary['users']:,} users "
        f"with {summary['items']:,} items in {summary['seconds']} s",
        style="green",
    )
    weights: Mapping[str, float] = summary["weights"]
    ordered = sorted(weights, key=lambda name: -weights[name])
    rows = [[name, f"{weights[name]:.0%}", "█" * round(30 * weights[name])] for name in ordered]
    console.print(table_of(["source", "weight>", ""], rows))
    console.print(f"bundle: {safe(summary['bundle'])}, {summary['bundle_mb']} MB")


def _facts(dataset: Dataset) -> dict[str, int]:
    return {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "items nobody has touched": int((dataset.item_counts == 0).sum()),
        "interactions": len(dataset.interactions),
        "dismissals": len(dataset.dismissals),
        "impressions": len(dataset.impressions),
        "text fields": len(dataset.catalog.text_fields),
    }
