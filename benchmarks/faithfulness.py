"""Whether cited items are what a recommendation rests on: taken away, they must be missed.

    python -m benchmarks.faithfulness ~/data/amazon-scientific --users 200

A folder is read as by quality.py; without one it is the bundled films. For each item of the slates
of users drawn at random, the items that its reasons cite are removed from the user's history and
the item is scored again; so it is without as many other items of the history, drawn at random.
Printed, in percent of the cases, ties half, with 95 % bootstrap intervals over users: how often the
cited items are missed more, by the item's score (its distance to the mean of all candidates), by
its rank, and by the reason's own part of the score alone. Compared are the reasons that every slate
carries, those of an explanation, which asks again without each item, and, to see that the test can
be failed, the items touched last. Items in whose history there are not as many others are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from benchmarks.quality import BUNDLED, opened

from longtale.arrays import Rows
from longtale.evaluate.intervals import bootstrap_intervals
from longtale.explain.attribution import without
from longtale.explain.codes import code_of
from longtale.explain.grounds import latest
from longtale.explain.standing import Standing
from longtale.recommend.case import Case
from longtale.recommend.explaining import explain
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question
from longtale.recommend.train import train
from longtale.seeds import generator

CITERS = ("reasons of the slate", "explanation", "items touched last")
MEASURES = ("score", "rank", "own part")
BAR = 80
LEAST_ITEMS = 4
"""Shorter histories have too few others to draw from."""

Citations = Mapping[str, Sequence[int]]
"""By code of the reason, the item rows that it cites."""


@dataclass
class Tally:
    """What was found for one way of citing, case by case."""

    users: list[int] = field(default_factory=list)
    won: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    n_items: int = 0
    n_citing: int = 0
    n_ids: int = 0
    n_known_ids: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=BUNDLED)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--n", type=int, default=10, help="length of the slates")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    dataset, settings = opened(asked.folder)
    recommender = train(dataset, settings, quality=asked.quality)
    title = f"{Path(asked.folder).name}, {asked.quality}"
    print_table(title, tallied(recommender, asked.users, n=asked.n, seed=asked.seed))


def tallied(recommender: Recommender, n_users: int, *, n: int, seed: int) -> dict[str, Tally]:
    rng = generator(seed, "faithfulness")
    tallies = {name: Tally() for name in CITERS}
    for user in drawn_users(recommender, n_users, rng):
        user_id = recommender.dataset.users.ids[user]
        question = Question.of(recommender, user_id, n=n)
        for item in recommender.recommend(user_id, n=n).items:
            row = recommender.catalog.items.row(item.id)
            case = Case(recommender, question, row, recommender.scoring)
            told = explain(recommender, question, item.id)
            ids = {
                CITERS[0]: {why.code: why.evidence for why in item.reasons},
                CITERS[1]: {why.code: [c.item.id for c in why.evidence] for why in told.reasons},
            }
            rows = {name: rows_of(recommender, cited) for name, cited in ids.items()}
            rows[CITERS[2]] = like(rows[CITERS[0]], case.history)
            for name, cited in rows.items():
                record(tallies[name], case, user, cited, rng)
    return tallies


def drawn_users(recommender: Recommender, n_users: int, rng: np.random.Generator) -> list[int]:
    histories = recommender.dataset.interactions.histories
    able = [
        user
        for user in np.flatnonzero(histories.lengths >= LEAST_ITEMS)
        if len(latest(histories.take(np.array([user])).items)) >= LEAST_ITEMS
    ]
    chosen: list[int] = rng.choice(able, min(n_users, len(able)), replace=False).tolist()
    return chosen


def rows_of(recommender: Recommender, cited: Mapping[str, Sequence[str]]) -> Citations:
    return {c: recommender.catalog.items.rows(list(ids)).tolist() for c, ids in cited.items()}


def like(cited: Citations, history: Rows) -> Citations:
    """Cite the items touched last, as many as were cited."""
    n_cited = len({row for rows in cited.values() for row in rows})
    return {"last": history[:n_cited].tolist()}


def record(tally: Tally, case: Case, user: int, cited: Citations, rng: np.random.Generator) -> None:
    rows = list(dict.fromkeys(row for own in cited.values() for row in own))
    met = case.queries.histories.items
    tally.n_items += 1
    tally.n_citing += bool(rows)
    tally.n_ids += len(rows)
    tally.n_known_ids += int(np.isin(rows, met).sum())
    others = np.setdiff1d(case.history, rows)
    if not rows or len(others) < len(rows):
        return
    tally.users.append(user)
    drawn = rng.choice(others, len(rows), replace=False)
    found = case.stand(without(case.queries, [np.array(rows, dtype=np.int32), drawn]))
    tally.won["score"].append(ahead(*(-found.values)))
    tally.won["rank"].append(ahead(*found.ranks))
    tally.won["own part"].append(own_part_won(case, cited, others, rng))


def own_part_won(case: Case, cited: Citations, others: Rows, rng: np.random.Generator) -> float:
    """Give how often a reason's own part of the score misses its own evidence more."""
    won = []
    for code, rows in cited.items():
        if not len(rows) or code == "last":
            continue
        drawn = rng.choice(others, len(rows), replace=False)
        found = case.stand(without(case.queries, [np.array(rows, dtype=np.int32), drawn]))
        won.append(ahead(*(-part_of(found, code))))
    return float(np.mean(won)) if won else np.nan


def part_of(found: Standing, code: str) -> np.ndarray:
    codes = [code_of(name, has_history=True, has_words=False) for name in found.sources]
    return found.shares[[own == code for own in codes]].sum(axis=0)


def ahead(first: float, second: float) -> float:
    return 0.5 if first == second else float(first > second)


def print_table(title: str, tallies: Mapping[str, Tally]) -> None:
    print(f"\n## {title}\n")
    print(f"| cited by | cases | {' | '.join(MEASURES)} | items that cite | ids in the history |")
    print("|---|" + "---|" * (len(MEASURES) + 3))
    for name, tally in tallies.items():
        shares = " | ".join(share(tally, measure) for measure in MEASURES)
        citing = tally.n_citing / max(1, tally.n_items)
        known = f"{tally.n_known_ids} of {tally.n_ids}"
        print(f"| {name} | {len(tally.users)} | {shares} | {citing:.0%} | {known} |")
    print(f"\nThe bar is {BAR} % by score and by rank; every id must be in the history.")


def share(tally: Tally, measure: str) -> str:
    """Give the mean over users of their share of cases that were won, with its interval."""
    won, users = np.array(tally.won[measure]), np.array(tally.users)
    kept = ~np.isnan(won)
    if not kept.any():
        return "–"
    _, owners = np.unique(users[kept], return_inverse=True)
    means = 100 * np.bincount(owners, won[kept]) / np.bincount(owners)
    rng = generator(0, "faithfulness intervals")
    low, high = bootstrap_intervals(means[:, None], rng=rng)
    return f"{means.mean():.1f} ({low[0]:.1f} to {high[0]:.1f})"


if __name__ == "__main__":
    main()
