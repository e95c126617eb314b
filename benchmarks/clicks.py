"""Will it be liked? AUC of popularity, collaborative and text scores, and of the heads over them.

    python benchmarks/clicks.py DATA/ml-1m-labelled DATA/ml-1m              # valid: for choices
    python benchmarks/clicks.py DATA/ml-1m-labelled DATA/ml-1m --test       # once, for the figures

Protocol: impressions, cut in time by the publisher into train, valid and test; label: rating > 3.
Scores learn from train alone; valid stops the heads and calibrates them. What is known of the user
is the list of earlier likes that comes with each impression; rows with `own answers` also see how
this user answered strictly earlier impressions of any part, dislikes included. Train rows get
scores from models that have seen no answer of the same user (five parts by user), since most cold
rows are of users without any in train. Titles join the films' attributes and plots; user ids are
the publisher's own and join nothing. There is no second label here: the network of several experts
foretells the click alone. `trees and network` is the sum of both answers.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows, offsets_of
from longtale.data.catalog import Catalog, TextField
from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Histories, Interactions
from longtale.data.query import Queries
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.encode.encoder import EncoderSettings, make_encoder
from longtale.models.als import ALS, ALSSettings
from longtale.models.ease import EASE, EASESettings
from longtale.models.item_knn import ItemKNN, ItemKNNSettings
from longtale.models.semantic import SemanticRetriever, SemanticSettings
from longtale.rank.boosting import Table
from longtale.rank.calibration import Reliability, auc
from longtale.rank.evidence import ItemEvidence
from longtale.rank.features import Scored, features
from longtale.rank.heads import Heads
from longtale.rank.reliability_plot import plot_reliability
from longtale.rank.tasks import HeadsSettings, Labelled
from longtale.rank.tree_head import TreeHead, TreeHeadSettings
from longtale.recommend.item_vectors import ItemVectors
from longtale.schema import Role
from longtale.seeds import generator

PARTS = 5
ROLES = {
    "title": Role.TITLE,
    "director": Role.CREATOR,
    "genres": Role.CATEGORY,
    "plot": Role.DESCRIPTION,
}
OWN = ("n own answers", "own approval")
PLAIN = {"popularity": "log count", "share of likes": "approval", "text, ridge": "text approval"}
PLAIN |= {f"{name}, score alone": f"z {name}" for name in ("als", "ease", "item_knn", "semantic")}
TEXT = ("z semantic", "best cosine", "mean cosine", "last cosine", "text approval", "log history")
FEW: Mapping[str, tuple[str, ...]] = {
    "trees, iALS features": ("z als", "log history"),
    "trees, history features": ("z ease", "z item_knn", "last cosine", "log history"),
    "trees, text features": TEXT,
}


@dataclass(frozen=True, eq=False)
class Shown:
    """R impressions: who, what, the answer, what was liked before, and which rows are for what."""

    users: NDArray[np.int64]
    items: Rows
    labels: Floats
    times: NDArray[np.int64]
    histories: Histories
    split: NDArray[np.str_]
    is_warm: Mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("films", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--plot", type=Path, help="draw the reliability of the heads here")
    asked = parser.parse_args()
    shown, catalog = read(asked.labelled, asked.films)
    settings = EncoderSettings()
    vectors = ItemVectors.fit(
        catalog, make_encoder(settings), prompt=settings.prompt, whitening=settings.whitening
    ).vectors
    names, columns = all_columns(shown, catalog, vectors)
    judged = shown.split == ("test" if asked.test else "valid")
    print(f"\n| {judged.sum():,} rows of {'test' if asked.test else 'valid'} | AUC | warm | cold |")
    print("|---|---|---|---|")
    for name, column in PLAIN.items():
        scores = np.nan_to_num(columns[:, names.index(column)])
        print_row(name, [by_warmth(scores, shown, judged)])
    usual = [n for n in names if n not in OWN]
    reliabilities, answers = {}, {}
    for name, fit in heads_of(usual, names).items():
        answers[name] = [fit(shown, columns, names, seed) for seed in asked.seeds]
        print_row(name, [by_warmth(answer, shown, judged) for answer in answers[name]])
        reliabilities[name] = Reliability.of(answers[name][0][judged], shown.labels[judged])
    for rest in ("all", "all + own answers"):
        pairs = zip(answers[f"trees, {rest}"], answers[f"network, {rest}"], strict=True)
        both = [by_warmth(first + second, shown, judged) for first, second in pairs]
        print_row(f"trees and network, {rest}", both)
    for name, table in reliabilities.items():
        print(f"Expected calibration error of {name}: {table.error:.4f}")
    if asked.plot:
        plot_reliability(reliabilities, asked.plot)


def read(labelled: Path, films: Path) -> tuple[Shown, Catalog]:
    title = pl.col("title").str.strip_chars()
    rows = pl.read_parquet(labelled / "impressions.parquet").with_columns(title)
    about = pl.read_parquet(films / "items.parquet").with_columns(title).unique("title")
    items = rows.select("iid", "title").unique("iid").sort("iid")
    items = items.join(about, on="title", how="left", maintain_order="left")
    fields = tuple(TextField(name, role) for name, role in ROLES.items())
    catalog = Catalog(
        Vocabulary(items["iid"].cast(pl.String), "item"), items.drop("iid", "item_id"), fields
    )
    liked = [np.array(row[1:], dtype=np.int32) - 1 for row in rows["his"].to_list()]  # 0 pads
    flat = np.concatenate(liked)
    offsets = offsets_of(np.array([len(row) for row in liked]))
    shown = Shown(
        rows["uid"].to_numpy() - 1,
        rows["iid"].to_numpy().astype(np.int32) - 1,
        rows["label"].to_numpy().astype(np.float32),
        rows["timestamp"].to_numpy(),
        Histories(offsets, flat, np.ones(len(flat), dtype=np.float32)),
        rows["split"].to_numpy().astype(str),
        rows["not_cold"].to_numpy() == 1,
    )
    return shown, catalog


def all_columns(shown: Shown, catalog: Catalog, vectors: Floats) -> tuple[list[str], Floats]:
    """Give the features of all impressions, those of train out of the part of their user."""
    is_train = shown.split == "train"
    parts = generator(0, "clicks").integers(PARTS, size=shown.users.max() + 1)[shown.users]
    tasks = [(is_train & (parts != part), is_train & (parts == part)) for part in range(PARTS)]
    names: list[str] = []
    found = np.empty((0, 0), dtype=np.float32)
    for learned, asked in [*tasks, (is_train, ~is_train)]:
        names, values = columns_of(shown, catalog, vectors, learned, np.flatnonzero(asked))
        if not found.size:
            found = np.empty((len(shown.items), len(names)), dtype=np.float32)
        found[asked] = values
    genre_names, genres = genre_columns(shown, catalog)
    own = own_answers(shown, float(shown.labels[is_train].mean()))
    return [*names, *genre_names, *OWN], np.column_stack([found, genres, own])


def columns_of(
    shown: Shown, catalog: Catalog, vectors: Floats, learned: Mask, asked: NDArray[np.int64]
) -> tuple[list[str], Floats]:
    """Give the features of some impressions from what others say."""
    dataset = behaviour(shown, catalog, learned)
    evidence = ItemEvidence.of(dataset, vectors)
    retrievers = (
        ALS.fit(dataset, ALSSettings(factors=32, half_life=None)),
        EASE.fit(dataset, EASESettings()),
        ItemKNN.fit(dataset, ItemKNNSettings()),
        SemanticRetriever.fit(dataset, SemanticSettings(), vectors),
    )
    sources = tuple(retriever.name for retriever in retrievers)
    tables = []
    for rows in np.array_split(asked, max(1, len(asked) // 256)):
        queries = Queries(np.full(len(rows), -1, dtype=np.int32), shown.histories.take(rows))
        scores = np.stack([retriever.scores(queries) for retriever in retrievers])
        scored = Scored(sources, scores, scores[0])
        tables.append(features(queries, shown.items[rows, None], scored, evidence))
    # Of one candidate, ranks and margins among candidates say nothing.
    kept = [
        column
        for column, name in enumerate(tables[0].names)
        if not name.startswith(("rank ", "margin ", "z blend", "n sources"))
    ]
    values = np.concatenate([table.values[:, 0, kept] for table in tables])
    told = text_approval(dataset, evidence)[shown.items[asked]]
    names = [tables[0].names[column] for column in kept]
    return [*names, "text approval"], np.column_stack([values, told])


def behaviour(shown: Shown, catalog: Catalog, learned: Mask) -> Dataset:
    """Give what users liked and turned down in some impressions, as a dataset."""
    n_users = int(shown.users.max()) + 1

    def events(answer: int) -> Interactions:
        rows = np.flatnonzero(learned & (shown.labels == answer))
        rows = rows[np.lexsort((shown.times[rows], shown.users[rows]))]
        counts = np.bincount(shown.users[rows], minlength=n_users)
        weights = np.ones(len(rows), dtype=np.float32)
        histories = Histories(offsets_of(counts), shown.items[rows], weights)
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        return Interactions(histories, np.zeros(len(rows), dtype=np.int16), unknown)

    users = Vocabulary.of([str(row) for row in range(n_users)], noun="user")
    nothing = (Impressions.none(), pl.DataFrame(), Tags.none())
    return Dataset(users, catalog, events(1), events(0), ("shown",), *nothing)


def text_approval(dataset: Dataset, evidence: ItemEvidence, l2: float = 10.0) -> Floats:
    """Foretell each item's share of likes from its words: ridge, an item counts by its answers."""
    items = np.concatenate([dataset.interactions.items, dataset.dismissals.items])
    answers = np.repeat([1.0, 0.0], [len(dataset.interactions), len(dataset.dismissals)])
    x = evidence.vectors.astype(np.float64)
    counts = np.bincount(items, minlength=len(x))
    sums = np.bincount(items, answers - answers.mean(), minlength=len(x))
    gram = (x * counts[:, None]).T @ x + l2 * np.eye(x.shape[1])
    return (x @ np.linalg.solve(gram, x.T @ sums)).astype(np.float32)


def genre_columns(shown: Shown, catalog: Catalog) -> tuple[list[str], Floats]:
    """Give the genres of each impression's film, and their shares among what the user has liked."""
    cells = catalog.frame["genres"].str.split("|").to_list()
    genres = sorted({genre for cell in cells for genre in cell})
    has = np.array([[genre in cell for genre in genres] for cell in cells], dtype=np.float32)
    liked = shown.histories.matrix(len(catalog)) @ has
    shares = liked / np.maximum(shown.histories.lengths, 1)[:, None]
    names = [f"is {genre}" for genre in genres] + [f"likes {genre}" for genre in genres]
    return names, np.column_stack([has[shown.items], shares]).astype(np.float32)


def own_answers(shown: Shown, overall: float) -> Floats:
    """Give log count and smoothed share of likes of each user's strictly earlier answers."""
    found = np.empty((len(shown.items), 2), dtype=np.float32)
    for user in np.unique(shown.users):
        rows = np.flatnonzero(shown.users == user)
        rows = rows[np.argsort(shown.times[rows], kind="stable")]
        n_before = np.searchsorted(shown.times[rows], shown.times[rows])
        liked = np.append(0, np.cumsum(shown.labels[rows]))[n_before]
        found[rows] = np.column_stack([np.log1p(n_before), (liked + 5 * overall) / (n_before + 5)])
    return found


def heads_of(usual: list[str], every: list[str]):
    """Give each head's fit by its name: rows in, scores of all rows out."""
    found = {name: lambda *a, own=list(own): trees(*a, chosen=own) for name, own in FEW.items()}
    one = HeadsSettings()
    found |= {
        "trees, all": lambda *a: trees(*a, chosen=usual),
        "network, all": lambda *a: network(*a, chosen=usual, settings=one),
        "network of 4 experts, all": lambda *a: network(
            *a, chosen=usual, settings=one.model_copy(update={"experts": 4})
        ),
        "trees, all + own answers": lambda *a: trees(*a, chosen=every),
        "network, all + own answers": lambda *a: network(*a, chosen=every, settings=one),
    }
    return found


def trees(shown: Shown, columns: Floats, names: list[str], seed: int, *, chosen: list[str]):
    x = columns[:, [names.index(name) for name in chosen]]
    learned, held_out = (
        Table(x[shown.split == part], shown.labels[shown.split == part])
        for part in ("train", "valid")
    )
    return TreeHead.fit(learned, held_out, TreeHeadSettings(seed=seed)).answer(x)


def network(
    shown: Shown,
    columns: Floats,
    names: list[str],
    seed: int,
    *,
    chosen: list[str],
    settings: HeadsSettings,
):
    x = columns[:, [names.index(name) for name in chosen]]
    learned, held_out = (
        Labelled(x[shown.split == part], {"click": shown.labels[shown.split == part]})
        for part in ("train", "valid")
    )
    seeded = settings.model_copy(update={"seed": seed})
    return Heads.fit(learned, held_out, seeded).answer(x)["click"]


def by_warmth(scores: Floats, shown: Shown, judged: Mask) -> list[float]:
    rows = (judged, judged & shown.is_warm, judged & ~shown.is_warm)
    return [auc(scores[chosen], shown.labels[chosen]) for chosen in rows]


def print_row(name: str, runs: list[list[float]]) -> None:
    cells = []
    for values in zip(*runs, strict=True):
        spread = f" ± {np.std(values):.4f}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.4f}{spread}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
