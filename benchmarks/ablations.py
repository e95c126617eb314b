"""What each part of the hybrid brings: from the fixed formula to the gate, and with one part less.

    python benchmarks/ablations.py ~/data/amazon-scientific:refit

Every row is a blend chosen on the validation fold and asked on the test fold: nDCG@10, ranking the
hundred best of every source, seen items masked, a target that none of them holds missed, ties lost.
The difference to the whole hybrid is paired, with its 95 % bootstrap interval over users. In the
second table sources are fitted anew: without whitening, with the items' vectors dealt out at random
(what then is left of a gain was never the words'), with another share of dropped identities.
Processor seconds are those of the parts that the row changes.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quality import opened, seeded

from longtale.arrays import Floats
from longtale.blend.convex import ConvexBlend
from longtale.blend.evidence import item_evidence
from longtale.blend.fixed import FixedBlend, FixedSettings
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import source_scores
from longtale.blend.learning import fit_blend, parts_of
from longtale.blend.lists import Lists
from longtale.data.splits.folds import Fold
from longtale.data.splits.split import ProtocolName, Split, split
from longtale.evaluate.intervals import paired_test
from longtale.recommend.assemble import Fitting, as_long, fit_retrievers
from longtale.recommend.choose import as_newcomers, encoded, examples, parted
from longtale.recommend.cost import Cost
from longtale.recommend.settings import LongtaleSettings, Quality
from longtale.seeds import generator

CUTOFF = 10
FIXED = ("sequence_text", "semantic", "ease")
"""Text tower, attention profile and collaborative score of the fixed formula."""


@dataclass(frozen=True, eq=False)
class World:
    """What all sources said to the requests of both folds."""

    sources: tuple[str, ...]
    validation: Lists
    short: Lists
    test: Lists
    items: Floats
    test_items: Floats
    settings: LongtaleSettings
    cpu_s: float

    @classmethod
    def of(cls, cut: Split, settings: LongtaleSettings, *, shuffled: bool = False) -> World:
        """Fit all sources, with each item's own vector or with that of another."""
        start, cost, fold = time.process_time(), Cost(None), cut.validation
        vectors = encoded(fold.train, settings, cost).vectors
        if shuffled:
            vectors = generator(0, "shuffled text").permutation(vectors)
        stopping, judging = parted(fold, settings.models, generator(settings.split.seed, "ablate"))
        own = Fitting(fold.train, vectors, settings.models, stopping)
        retrievers = fit_retrievers(own, cost, purpose="validation")
        short = as_newcomers(judging, generator(settings.split.seed, "short histories"))
        answers = partial(lists, depth=settings.blend.depth)
        lessons, short_lessons = answers(retrievers, judging), answers(retrievers, short)
        if cut.test.train is not fold.train:
            models = as_long(settings.models, retrievers)
            retrievers = fit_retrievers(Fitting(cut.test.train, vectors, models), cost, purpose="")
        return cls(
            tuple(retriever.name for retriever in retrievers),
            lessons,
            short_lessons,
            answers(retrievers, cut.test),
            item_evidence(fold.train),
            item_evidence(cut.test.train),
            settings,
            time.process_time() - start,
        )

    def without(self, source: str) -> World:
        """Give the world in which one source is silent."""
        kept = np.array([name != source for name in self.sources])

        def heard(known: Lists) -> Lists:
            columns = {"scores", "heard", "sure"}
            return replace(known, **{name: getattr(known, name)[:, kept] for name in columns})

        return replace(
            self,
            sources=tuple(name for name in self.sources if name != source),
            validation=heard(self.validation),
            short=heard(self.short),
            test=heard(self.test),
        )

    def hybrid(self, *, gate: bool = True) -> GatedBlend:
        """Choose weights and gate on the validation fold."""
        settings = self.settings.blend.model_copy(update={"gate": gate})
        even = np.full(len(self.sources), 1 / len(self.sources), dtype=np.float32)
        rng = generator(self.settings.split.seed, "gate")
        return fit_blend(
            self.validation, self.items, settings, newcomer_weights=even, rng=rng, short=self.short
        )

    def reached(self, blend: GatedBlend) -> NDArray[np.float64]:
        """Give the nDCG@10 of each test request."""
        parts = parts_of(self.test, replace(blend, items=self.test_items))
        return self.test.ndcg(parts.sum(axis=1), CUTOFF)

    def weighed(self, weights: dict[str, float]) -> NDArray[np.float64]:
        """Give the nDCG@10 of each test request under given weights of standardised scores."""
        own = np.array([weights.get(name, 0) for name in self.sources], dtype=np.float32)
        flat = ConvexBlend(self.settings.blend, own, own)
        return self.reached(GatedBlend.flat(flat, self.items))


def lists(retrievers: tuple, fold: Fold, *, depth: int) -> Lists:
    ask = partial(source_scores, retrievers, n_items=fold.train.n_items)
    return Lists.concatenated([Lists.of(e, depth) for e in examples(ask, fold, lambda _: None)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", metavar="FOLDER:PROTOCOL")
    parser.add_argument("--quality", default="best")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder, _, protocol = asked.task.rpartition(":")
    dataset, settings = opened(folder)
    settings = seeded(settings, asked.seed).for_quality(Quality(asked.quality))
    cut = split(dataset, ProtocolName(protocol), settings.split)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"\n## {Path(folder).name}, {protocol}\n\n`{cut.protocol.stamp}`\n")
    world = World.of(cut, settings)
    whole = world.reached(world.hybrid())
    head = f"| nDCG@{CUTOFF} | against the whole hybrid | CPU s |\n|---|---|---|---|"
    print(f"| blend {head}")
    row("the whole hybrid", lambda: whole, whole)
    singles = {name: world.weighed({name: 1.0}) for name in world.sources}
    best = max(singles, key=lambda name: singles[name].mean())
    row(f"best source alone ({best})", lambda: singles[best], whole)
    if set(FIXED) <= set(world.sources):
        three = dict(zip(FIXED, FixedBlend(FixedSettings()).weights.tolist(), strict=True))
        row("fixed formula, α .7, β .3, standardised", lambda: world.weighed(three), whole)
    equal = dict.fromkeys(world.sources, 1.0)
    row("all sources, equal weights", lambda: world.weighed(equal), whole)
    row("chosen weights, no gate", lambda: world.reached(world.hybrid(gate=False)), whole)
    for name in world.sources:
        less = world.without(name)
        row(f"without {name}", lambda less=less: less.reached(less.hybrid()), whole)
    print(f"\n| sources {head}")
    for name, changed, shuffled in variants(settings):
        other = World.of(cut, changed, shuffled=shuffled)
        row(name, lambda other=other: other.reached(other.hybrid()), whole, other.cpu_s)


def variants(settings: LongtaleSettings) -> list[tuple[str, LongtaleSettings, bool]]:
    """Give the worlds of the second table: name, settings, and whether texts are shuffled."""
    plain = settings.encode.whitening.model_copy(update={"power": 0.0})
    encode = settings.encode.model_copy(update={"whitening": plain})
    found = [
        ("vectors not whitened", settings.model_copy(update={"encode": encode}), False),
        ("vectors dealt out at random", settings, True),
    ]
    for share in (0.0, 0.3):
        own = settings.models.sequence_text.model_copy(update={"identity_dropout": share})
        models = settings.models.model_copy(update={"sequence_text": own})
        name = f"identity dropout {share:g} instead of .1"
        found.append((name, settings.model_copy(update={"models": models}), False))
    return found


def row(
    name: str,
    reach: Callable[[], NDArray[np.float64]],
    whole: NDArray[np.float64],
    spent: float = 0.0,
) -> None:
    start = time.process_time()
    found = reach()
    spent += time.process_time() - start
    test = paired_test(found, whole, rng=np.random.default_rng(0))
    difference = f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}, p = {test.p:.3f})"
    print(f"| {name} | {found.mean():.4f} | {difference} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
