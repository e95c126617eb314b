"""What the long-tail dial costs and brings: accuracy against the tail's share and coverage.

    python benchmarks/tail_frontier.py ~/data/amazon-beauty:refit --plot frontier.png

Prints Markdown for the protocols in which one fit serves validation and test (refit, strict):
every turn of the dial on the answers that are served, and each source at rest. The turn is chosen
on the validation fold, the furthest one whose nDCG lies at most 1 % below the best; the test fold
says what became of it, with a paired test against the dial at rest and ratios to --against. Full
ranking, seen items masked, ties counted half. The tail is the bottom 80 % of the items by count.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from quality import opened, seeded

from longtale.arrays import Floats, Mask
from longtale.blend.hybrid import source_scores
from longtale.contracts import Retriever
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.evaluate.frontier import Point, bottom_items, frontier, plot_frontier
from longtale.evaluate.intervals import paired_test
from longtale.rank.evidence import ItemEvidence
from longtale.rank.tail import LongTail
from longtale.recommend.assemble import Fitting, fit_retriever
from longtale.recommend.choose import Chosen, choose
from longtale.recommend.cost import Cost
from longtale.recommend.screen import met
from longtale.recommend.settings import Quality
from longtale.recommend.slating import Said, Slating

TURNS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
GIVEN_UP = 0.01
"""Part of the best nDCG that the chosen turn may cost."""
SERVED = "served"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", metavar="FOLDER:PROTOCOL")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--against",
        default="sequence",
        help="source to which ratios are given, fitted apart if need be",
    )
    parser.add_argument("--plot", type=Path, help="draw the test fold's frontier here")
    asked = parser.parse_args()
    folder, _, protocol = asked.task.rpartition(":")
    if protocol not in (ProtocolName.REFIT, ProtocolName.STRICT):
        parser.error(f"protocol '{protocol}' fits twice; expected refit or strict")
    dataset, settings = opened(folder)
    settings = seeded(settings, asked.seed).for_quality(Quality(asked.quality))
    cut = split(dataset, ProtocolName(protocol), settings.split)
    chosen = choose(cut.validation, settings, Cost(None))
    train = cut.validation.train
    vectors = chosen.item_vectors.vectors
    apart: tuple[Retriever, ...] = ()
    if asked.against not in chosen.hybrid.sources:
        fitting = Fitting(train, vectors, settings.models, cut.validation)
        apart = (fit_retriever(asked.against, fitting),)
    evidence = ItemEvidence.of(train, vectors)
    slating = Slating(settings.slate, evidence, chosen.ranker)
    dial = LongTail.fit(train.item_counts, settings.slate.long_tail)
    is_tail = bottom_items(train.item_counts)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"\n## {Path(folder).name}, {protocol}\n\n`{cut.protocol.stamp}`\n")
    n_of_tail = train.item_counts[is_tail].sum()
    print(
        f"Tail: {is_tail.mean():.1%} of {dataset.n_items} items, "
        f"{n_of_tail / train.item_counts.sum():.1%} of the interactions."
    )

    def measured(fold: Fold) -> list[Point]:
        scored = partial(answers, chosen, slating, apart, train)
        return frontier(scored, partial(turned, dial), TURNS, fold, is_tail, model=SERVED)

    validation = measured(cut.validation)
    turn = furthest(validation)
    print_points(f"Validation, {len(cut.validation)} requests", validation, turn)
    test = measured(cut.test)
    print_points(f"Test, {len(cut.test)} requests", test, turn)
    print_verdict(test, turn, asked.against)
    if asked.plot is not None:
        title = f"{Path(folder).name}, {protocol}, {len(cut.test):,} requests"
        plot_frontier(test, asked.plot, title=title)


def answers(
    chosen: Chosen,
    slating: Slating,
    apart: Sequence[Retriever],
    train: Dataset,
    queries: Queries,
) -> dict[str, Floats]:
    """Give the scores of what stands apart, of each source, and of what is served."""
    hybrid, n_items = chosen.hybrid, train.n_items
    scores = source_scores(hybrid.retrievers, queries, n_items).scores
    contributions = hybrid.blender.contributions(queries, scores)
    served = contributions.sum(axis=0)
    if slating.ranker is not None:
        unused = ~hybrid.blender.uses(queries)
        heard = np.where(unused[:, None, None], np.float32(np.nan), scores)
        said = Said(hybrid.sources, heard, contributions, ())
        served = served + slating.ranked(slating.ranker, queries, said, met(train, queries))
    beside = {retriever.name: retriever.scores(queries) for retriever in apart}
    return {**beside, **dict(zip(hybrid.sources, scores, strict=True)), SERVED: served}


def turned(dial: LongTail, turn: float, scores: Floats, masked: Mask) -> Floats:
    return scores + dial.turned(turn).contribution(scores, exclude=masked)


def furthest(points: Sequence[Point]) -> float:
    """Give the furthest turn that gives up no more of the best nDCG than it may."""
    own = [point for point in points if point.model == SERVED]
    least = (1 - GIVEN_UP) * max(point.ndcg for point in own)
    return max(point.turn for point in own if point.ndcg >= least)


def print_points(title: str, points: Sequence[Point], turn: float) -> None:
    print(f"\n{title}, {points[0].n_tail} of them with a target of the tail\n")
    print("| model | dial | nDCG@10 | tail Recall@10 | tail share | coverage@10 | Gini |")
    print("|---|---|---|---|---|---|---|")
    for point in points:
        is_chosen = point.model == SERVED and point.turn == turn
        name = f"**{point.model}**" if is_chosen else point.model
        print(
            f"| {name} | {point.turn:g} | {point.ndcg:.4f} | {point.tail_recall:.4f} "
            f"| {point.tail_share:.3f} | {point.coverage:.3f} | {point.gini:.3f} |"
        )


def print_verdict(points: Sequence[Point], turn: float, against: str) -> None:
    own = {point.turn: point for point in points if point.model == SERVED}
    at_rest, found = own[0.0], own[turn]
    test = paired_test(found.ndcg_per_user, at_rest.ndcg_per_user, rng=np.random.default_rng(0))
    print(
        f"\nDial at {turn:g}, chosen on validation, against the dial at rest: nDCG@10 "
        f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}, p = {test.p:.3f}), tail "
        f"Recall@10 x {found.tail_recall / at_rest.tail_recall:.2f}, coverage@10 "
        f"x {found.coverage / at_rest.coverage:.2f}."
    )
    for other in (point for point in points if point.model == against):
        print(
            f"Against {against}: tail Recall@10 x {found.tail_recall / other.tail_recall:.2f}, "
            f"coverage@10 x {found.coverage / other.coverage:.2f}, nDCG@10 "
            f"x {found.ndcg / other.ndcg:.2f}.",
            flush=True,
        )


if __name__ == "__main__":
    main()
