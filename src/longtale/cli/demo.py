"""The main job on real films: read, encode, train, measure, recommend."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from longtale.cli.ask import recent_titles, slate_outcome
from longtale.cli.command import Outcome
from longtale.cli.offline import draw_trained, report_outcome, trained_summary
from longtale.cli.operate import serve
from longtale.cli.options import DEFAULT_CONFIG, Changes, QualityOption, open_project
from longtale.cli.progress import showing_progress
from longtale.errors import SettingsError

if TYPE_CHECKING:
    from longtale.data.dataset import Dataset
    from longtale.recommend.pipeline import Recommender

WISH = "slow-burn science fiction, no war"
_N_SHOWN = 5


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the settings, the data and the bundle go.")
    ] = Path("longtale-demo"),
    quality: QualityOption = "fast",
    is_serving: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve",
            help="Serve the films in the end, until Ctrl-C.  [default: only in a terminal]",
            show_default=False,
        ),
    ] = None,
    changes: Changes = None,
) -> Outcome:
    """Do the main job on 9,742 real films.

    Read, encode, measure, train, recommend, serve. The films and ratings are MovieLens
    latest-small, which comes with the package.
    """
    from longtale.recommend.bundle import save
    from longtale.recommend.train import measure, train

    start = time.perf_counter()
    write_project(folder)
    project = open_project(folder, changes)
    with showing_progress() as progress:
        with progress.stage("read films", total=None):
            dataset = project.intake().dataset
        report = measure(dataset, "time", project.settings, quality=quality, progress=progress)
        recommender = train(dataset, project.settings, quality=quality, progress=progress)
        with progress.stage("write bundle", total=None):
            save(recommender, project.bundle)
    measured = report_outcome(report, seed=project.settings.split.seed)
    summary = trained_summary(recommender, project.bundle, time.perf_counter() - start)
    slates = _slates(recommender)

    def draw(console: Console) -> None:
        measured.draw(console)
        draw_trained(console, summary)
        for slate in slates.values():
            console.print()
            slate.draw(console)
        _draw_next(console, folder)
        if console.is_terminal if is_serving is None else is_serving:
            console.print()
            serve(folder, port=0)

    values = {"evaluation": measured.values, "trained": summary}
    return Outcome(
        {**values, "slates": {name: slate.values for name, slate in slates.items()}}, draw
    )


def write_project(folder: Path) -> None:
    """Write the films as a project of one's own: the tables, their terms, and the settings.

    Raises:
        SettingsError: a file of someone else's would be written over.
    """
    from longtale.data.inference.render import render_toml
    from longtale.data.movielens import (
        MOVIELENS_SMALL,
        movielens_small_settings,
        read_movielens_small,
    )

    catalog = read_movielens_small().dataset.catalog
    films = catalog.frame.select("title", "genres", "year")
    films.insert_column(0, catalog.items.ids.alias("movieId"))
    files = {
        name: (MOVIELENS_SMALL / name).read_bytes()
        for name in ("ratings.csv", "tags.csv", "README.txt")
    }
    files["movies.csv"] = films.write_csv().encode()
    files[DEFAULT_CONFIG.name] = render_toml(movielens_small_settings()).encode()
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() != content:
            raise SettingsError(
                f"'{path}' is there already and is not the demo's; give another folder by --folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _slates(recommender: Recommender) -> Mapping[str, Outcome]:
    user = recommender.dataset.users.ids[0]
    item = _wordiest_untouched(recommender.dataset)
    title = recommender.catalog.titles()[recommender.dataset.items.row(item)]
    liked = " · ".join(recent_titles(recommender, user))
    return {
        "known_user": slate_outcome(
            recommender,
            recommender.recommend(user, n=_N_SHOWN),
            f"for user {user}, who last liked {liked}",
        ),
        "untouched_item": slate_outcome(
            recommender,
            recommender.similar(item, n=_N_SHOWN),
            f"like {title}, which nobody has rated",
        ),
        "newcomer": slate_outcome(
            recommender,
            recommender.recommend(text=WISH, n=_N_SHOWN),
            f"for a newcomer who only wrote: {WISH}",
        ),
    }


def _wordiest_untouched(dataset: Dataset) -> str:
    """Give the item with the most text among those without any interaction, else among all."""
    import numpy as np

    lengths = np.zeros(dataset.n_items, dtype=np.int64)
    for _, cells in dataset.catalog.texts():
        lengths += [len(cell or "") for cell in cells]
    least = dataset.item_counts.min()
    chosen = np.where(dataset.item_counts == least, lengths, -1).argmax()
    return dataset.items.ids_of(np.array([chosen]))[0]


def _draw_next(console: Console, folder: Path) -> None:
    where = shlex.quote(str(folder))
    console.print()
    console.print("go on with:", style="bold")
    for command in (
        f'longtale recommend 42 --config {where} --filter "year >= 1990"',
        f"longtale search 'a heist that goes wrong' --user 42 --config {where}",
        "longtale init FOLDER   # with your own data",
    ):
        console.print(f"  {command}")
