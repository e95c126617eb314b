"""One run over all requests: every model ranks the whole catalogue, every slice gets its numbers.

Slices, and what they hold:

- `all`: every request that has a target.
- `head-items`, `torso-items`, `tail-items`, `new-items`: only targets of that band are relevant;
  the list stays as it is, and who has no such target is left out. They carry only metrics of
  accuracy.
- `new-users` (no event in the request's history), `light-users` (1 to 5), `regular-users` (6 to
  20), `heavy-users` (more than 20).
- `given-k`: cold users of whom k events are known. One user asks once for each k, so the interval
  of `all` is too narrow there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows, segment_rows
from longtale.contracts import OnProgress
from longtale.data.candidates import Candidates
from longtale.data.query import Queries
from longtale.data.splits.bands import BANDS
from longtale.data.splits.split import Fold, Protocol
from longtale.errors import DataError
from longtale.evaluate.accuracy import TargetRanks, Values, rankable, ranks_in
from longtale.evaluate.intervals import bootstrap_intervals
from longtale.evaluate.measures import (
    EvaluateSettings,
    ItemFacts,
    accuracy_of_ranks,
    qualities_of_lists,
    qualities_together,
)
from longtale.evaluate.report import Report, Result

USER_SLICES: Mapping[str, tuple[int, float]] = {
    "new-users": (0, 0),
    "light-users": (1, 5),
    "regular-users": (6, 20),
    "heavy-users": (21, np.inf),
}
"""The least and the most events in the history of a request in each slice of users."""

Scored = Callable[[Queries], Mapping[str, Floats]]
"""What is evaluated: for B requests it gives each model's float32 (B, N) by name, NaN where that
model cannot say; the same names, in the order of the report, for every batch."""


@dataclass(frozen=True, eq=False)
class _Answers:
    """What one model said to all B requests: ranks of the targets, and the first items (B, k)."""

    ranks: TargetRanks
    items: Rows


@dataclass(frozen=True, eq=False)
class _Slice:
    """Some of the requests, int64 (n,), and which targets are relevant; None is all of them."""

    name: str
    requests: NDArray[np.int64]
    relevant: Mask | None = None


def evaluate(
    scored: Scored,
    fold: Fold,
    protocol: Protocol,
    bands: NDArray[np.int8],
    settings: EvaluateSettings,
    *,
    rng: np.random.Generator,
    item_vectors: Floats | None = None,
    on_progress: OnProgress = None,
) -> Report:
    """Measure models on one fold.

    Args:
        scored: the models.
        fold: who asks, with what history, and what they came to want.
        protocol: how the fold was made; it is stamped on the report.
        bands: (N,), how known each item is in the training data, as codes of `BANDS`.
        settings: which metrics, at which lengths of list.
        rng: draws the bootstrap.
        item_vectors: float32 (N, D) for the diversity within a list; without them it is left out.
        on_progress: is told of answered requests.

    Raises:
        DataError: no request has a target, a target is masked, or a model gave scores of another
            shape.
    """
    asked = np.flatnonzero(fold.targets.lengths > 0)
    if not len(asked):
        raise DataError(
            f"none of the {len(fold.targets)} requests has a target, so there is nothing to "
            f"measure; give more events, or choose another protocol"
        )
    answers = _answers(scored, fold, asked, settings, on_progress)
    facts = ItemFacts.of(fold.train, bands, fold.ranked, item_vectors)
    slices = _slices(fold, asked, bands)
    per_user, totals = _measured(answers, slices, facts, settings)
    return Report(
        protocol,
        tuple(_results(slices, per_user, totals, settings, rng)),
        n_requests=len(asked),
        n_left_out=fold.n_left_out + len(fold.targets) - len(asked),
        per_user=per_user,
    )


def _answers(
    scored: Scored,
    fold: Fold,
    asked: NDArray[np.int64],
    settings: EvaluateSettings,
    on_progress: OnProgress,
) -> dict[str, _Answers]:
    parts: dict[str, list[_Answers]] = {}
    for batch in fold.take(asked).batches(settings.batch):
        for name, scores in scored(batch.queries).items():
            _check_shape(name, scores, (len(batch), fold.train.n_items))
            values = rankable(scores, masked=batch.seen, ranked=fold.ranked)
            items = Candidates.best(values, max(settings.ks)).items
            parts.setdefault(name, []).append(_Answers(ranks_in(values, batch.targets), items))
        if on_progress is not None:
            on_progress(len(batch))
    return {name: _joined(found) for name, found in parts.items()}


def _joined(parts: Sequence[_Answers]) -> _Answers:
    return _Answers(
        TargetRanks.concatenated([part.ranks for part in parts]),
        np.concatenate([part.items for part in parts]),
    )


def _check_shape(name: str, scores: Floats, expected: tuple[int, int]) -> None:
    if scores.shape != expected:
        raise DataError(
            f"the model '{name}' gave scores of shape {scores.shape}; expected {expected}, one row "
            f"per request and one column per item of the catalogue"
        )


def _slices(fold: Fold, asked: NDArray[np.int64], bands: NDArray[np.int8]) -> list[_Slice]:
    """Give the slices in which there is anybody; requests are numbered among those asked."""
    targets = fold.targets.take(asked)
    found = [_Slice("all", np.arange(len(asked)))]
    for code, band in enumerate(BANDS):
        relevant = bands[targets.items] == code
        owners = np.unique(segment_rows(targets.offsets)[relevant])
        found.append(_Slice(f"{band}-items", owners, relevant))
    lengths = fold.queries.histories.lengths[asked]
    for name, (least, most) in USER_SLICES.items():
        found.append(_Slice(name, np.flatnonzero((lengths >= least) & (lengths <= most))))
    if fold.given is not None:
        given = fold.given[asked]
        found += [_Slice(f"given-{k}", np.flatnonzero(given == k)) for k in np.unique(given)]
    return [each for each in found if len(each.requests)]


def _measured(
    answers: Mapping[str, _Answers],
    slices: Sequence[_Slice],
    facts: ItemFacts,
    settings: EvaluateSettings,
) -> tuple[dict[tuple[str, str, str], Values], dict[tuple[str, str, str], float]]:
    """Give the values per user and the numbers of all lists together, by (model, slice, metric)."""
    per_user, totals = {}, {}
    for model, answer in answers.items():
        whole = accuracy_of_ranks(answer.ranks, settings)
        whole |= qualities_of_lists(answer.items, facts, settings)
        for each in slices:
            columns = whole
            if each.relevant is not None:
                columns = accuracy_of_ranks(answer.ranks.where(each.relevant), settings)
            else:
                together = qualities_together(answer.items[each.requests], facts, settings)
                totals.update({(model, each.name, m): value for m, value in together.items()})
            for metric, values in columns.items():
                per_user[model, each.name, metric] = values[each.requests]
    return per_user, totals


def _results(
    slices: Sequence[_Slice],
    per_user: Mapping[tuple[str, str, str], Values],
    totals: Mapping[tuple[str, str, str], float],
    settings: EvaluateSettings,
    rng: np.random.Generator,
) -> Iterator[Result]:
    """Give the results slice by slice, all models of a slice under the same draws."""
    for each in slices:
        n = len(each.requests)
        keys = [key for key in per_user if key[1] == each.name]
        values = np.reshape([per_user[key] for key in keys], (len(keys), n)).T
        low, high = bootstrap_intervals(
            values, rng=rng, n_bootstrap=settings.n_bootstrap, confidence=settings.confidence
        )
        found = [
            _mean(key, values[:, column], float(low[column]), float(high[column]))
            for column, key in enumerate(keys)
        ]
        found += [
            Result(*key, total, np.nan, np.nan, n)
            for key, total in totals.items()
            if key[1] == each.name
        ]
        models = list(dict.fromkeys(result.model for result in found))
        yield from sorted(found, key=lambda result: models.index(result.model))


def _mean(key: tuple[str, str, str], values: Values, low: float, high: float) -> Result:
    known = values[~np.isnan(values)]
    value = float(known.mean()) if len(known) else np.nan
    return Result(*key, value, low, high, len(known))
