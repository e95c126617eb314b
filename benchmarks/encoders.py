"""How well a GRU and a CNN read a history in place of the sequence model's attention.

    OMP_NUM_THREADS=1 python -m benchmarks.encoders ~/data/amazon-beauty:refit --seeds 0 1 2

A folder holds a longtale.toml, or files that `longtale init` understands. Only the layers of the
encoder are exchanged: item vectors, dropout, positions, last norm, beginning, batches, negatives,
loss, schedule and stopping are those of `SequenceRetriever.fit`. Prints Markdown for the protocols
in which one fit serves validation and test (refit, strict), as means over the seeds: nDCG@10 of
the best pass in validation; the test, full ranking, seen items masked, ties counted half; the
paired difference to the first encoder with a 95 % bootstrap interval over users, each user the mean
of all seeds; and processor seconds. Seeds decide the split's dice and the net's.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from benchmarks.quality import opened
from benchmarks.sequence import tested
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from longtale.data.splits.split import ProtocolName, Split, split
from longtale.evaluate.accuracy import Values, ndcg, recall
from longtale.evaluate.intervals import paired_test
from longtale.models.sequence import net
from longtale.models.sequence.net import Block, Dropout
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings

KERNEL = 3
DILATIONS = (1, 2, 4)
"""Of NextItNet (Yuan et al. 2019, arXiv:1808.05163); 15 events are seen."""


class Recurrent(nn.Module):
    """One layer of GRU4Rec (Hidasi et al. 2016, arXiv:1511.06939): g(x), or x + g(LN(x)).

    Takes the arguments of `Block`; heads and gates are the transformer's alone.
    """

    def __init__(self, width: int, n_heads: int, *, gated: bool, is_residual: bool) -> None:
        super().__init__()
        self.layer = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width) if is_residual else None

    def forward(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        states, _ = self.layer(x if self.norm is None else self.norm(x))  # (B, T, d)
        if dropout is not None:
            states = dropout(states)
        return states if self.norm is None else x + states


class Convolutional(nn.Module):
    """Causal convolutions over ever wider gaps, each x + W relu(c(LN(x))).

    Takes the arguments of `Block`; heads and gates are the transformer's alone.
    """

    def __init__(self, width: int, n_heads: int, *, gated: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in DILATIONS)
        self.inner = nn.ModuleList(nn.Conv1d(width, width, KERNEL, dilation=n) for n in DILATIONS)
        self.outer = nn.ModuleList(nn.Linear(width, width) for _ in DILATIONS)

    def forward(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        for n, norm, inner, outer in zip(
            DILATIONS, self.norms, self.inner, self.outer, strict=True
        ):
            columns = F.pad(norm(x).transpose(1, 2), ((KERNEL - 1) * n, 0))  # (B, d, T + 2n)
            added = outer(F.relu(inner(columns).transpose(1, 2)))  # (B, T, d)
            x = x + (added if dropout is None else dropout(added))
        return x


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "transformer": Block,
    "GRU": partial(Recurrent, is_residual=False),
    "GRU, residual": partial(Recurrent, is_residual=True),
    "CNN": Convolutional,
}


@dataclass(frozen=True, eq=False)
class Run:
    """What one encoder did under one seed.

    Args:
        validation: nDCG@10 of the best pass.
        ndcg: nDCG@10 of each test user.
        recall: Recall@10 of each test user.
        seconds: processor time of the training.
    """

    validation: float
    ndcg: Values
    recall: Values
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="+", metavar="FOLDER:PROTOCOL")
    parser.add_argument("--encoders", nargs="+", default=list(LAYERS), choices=LAYERS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings")
    asked = parser.parse_args()
    settings = SequenceSettings.parse(dict(pair.split("=", 1) for pair in asked.set))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for task in asked.tasks:
        folder, _, protocol = task.rpartition(":")
        if protocol not in (ProtocolName.REFIT, ProtocolName.STRICT):
            parser.error(f"protocol '{protocol}' fits twice; expected refit or strict")
        dataset, project = opened(folder)
        print(f"\n## {Path(folder).name}, {protocol}\n")
        print("| encoder | seed | validation nDCG@10 | nDCG@10 | Recall@10 | processor seconds |")
        print("|---|---|---|---|---|---|", flush=True)
        runs: dict[str, list[Run]] = {name: [] for name in asked.encoders}
        for seed in asked.seeds:
            dice = project.split.model_copy(update={"seed": seed})
            cut = split(dataset, ProtocolName(protocol), dice)
            for name in asked.encoders:
                run = measured(name, cut, settings.model_copy(update={"seed": seed}))
                runs[name].append(run)
                print(f"| {name} | {seed} | {shown([run])} |", flush=True)
        print_means(runs)


def measured(name: str, cut: Split, settings: SequenceSettings) -> Run:
    """Train and test with the layers of that name."""
    start = time.process_time()
    fitted = fitted_with(name, cut, settings)
    spent = time.process_time() - start
    ranks = tested(fitted, cut.test)
    best = float(fitted.curve[fitted.n_best - 1])
    return Run(best, ndcg(ranks, 10), recall(ranks, 10), spent)


def fitted_with(name: str, cut: Split, settings: SequenceSettings) -> SequenceRetriever:
    with patch.object(net, "Block", LAYERS[name]):
        return SequenceRetriever.fit(cut.validation.train, settings, validation=cut.validation)


def print_means(runs: dict[str, list[Run]]) -> None:
    """Print the means over the seeds, and each encoder's difference to the first."""
    first, *_ = runs
    print(f"\n| encoder | validation nDCG@10 | nDCG@10 | Recall@10 | s | nDCG@10 minus {first} |")
    print("|---|---|---|---|---|---|")
    per_user = {name: np.mean([run.ndcg for run in own], axis=0) for name, own in runs.items()}
    for name, own in runs.items():
        cell = "" if name == first else compared(per_user[name], per_user[first])
        print(f"| {name} | {shown(own)} | {cell} |")
    print(flush=True)


def compared(values: Values, others: Values) -> str:
    test = paired_test(values, others, rng=np.random.default_rng(0))
    share = test.difference / np.nanmean(others)
    return f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}), {share:+.1%}"


def shown(runs: list[Run]) -> str:
    """Give the cells of a row: means over the runs."""
    validation, seconds = (
        np.mean([getattr(run, key) for run in runs]) for key in ("validation", "seconds")
    )
    ndcgs, recalls = (np.nanmean([getattr(run, key) for run in runs]) for key in ("ndcg", "recall"))
    return f"{validation:.4f} | {ndcgs:.4f} | {recalls:.4f} | {seconds:.0f}"


if __name__ == "__main__":
    main()
