"""What a ranker sees of each candidate: defined once, for training and for answering.

Every value is made of the request, the sources' scores and what is known about the items, so
that what was learned offline is what is seen online. With z the score of a source brought to mean
0 and deviation 1 over the catalogue, the columns of each source are `z`, `rank` = -log(1 +
candidates that are strictly better) and `margin` = z below the source's best candidate. A
reciprocal rank would be a second copy: to trees every monotone change of a column is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import DAY, Floats, Rows, segment_rows
from longtale.data.query import Queries
from longtale.rank.evidence import NEVER, RECENT_DAYS, ItemEvidence

BLEND = "blend"
"""Name under which the blended score stands beside the sources'."""
BLENDED = f"z {BLEND}"
"""Column of the blended score in deviations; each candidate has one."""
RANKED = ("z", "rank")
"""Columns of a score in which more must never count less."""
IN_TOP = 100
"""How many of a source's best candidates count as proposed by it."""

_LAST = 10  # events whose words are compared with a candidate's
_NAN = np.float32(np.nan)

Columns = Iterator[tuple[str, Floats]]


@dataclass(frozen=True, eq=False)
class Scored:
    """What the sources and their blend say of a whole catalogue.

    Args:
        sources: names of the S sources.
        scores: float32 (S, B, N), NaN where a source cannot say.
        blended: float32 (B, N), the blended score; -inf or NaN where no source can say.
    """

    sources: tuple[str, ...]
    scores: Floats
    blended: Floats


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of the K candidates of each of B requests.

    Args:
        names: the F columns.
        values: float32 (B, K, F), NaN where unknown; all NaN where the candidate is padding.
    """

    names: tuple[str, ...]
    values: Floats


def features(queries: Queries, items: Rows, scored: Scored, evidence: ItemEvidence) -> FeatureTable:
    """Give the features of candidates; those of a request depend on no other request.

    Args:
        queries: B requests.
        items: int32 (B, K), candidate rows, -1 is padding.
        scored: what the sources say.
        evidence: what is known about the items.
    """
    columns = dict(
        (
            *_of_scores(scored, items),
            *_of_items(queries, items, evidence),
            *_of_users(queries, items, evidence),
            *_of_text(queries, items, evidence),
            *_of_groups(queries, items, evidence),
            *_of_numbers(queries, items, evidence),
        )
    )
    values = np.stack([np.broadcast_to(c, items.shape) for c in columns.values()], axis=-1)
    values[items < 0] = _NAN
    return FeatureTable(tuple(columns), values)


def is_monotone(name: str) -> bool:
    """Say whether more of this column must never lower a candidate."""
    return name.partition(" ")[0] in RANKED


def _of_scores(scored: Scored, items: Rows) -> Columns:
    proposed = np.zeros(items.shape, dtype=np.float32)
    for name, scores in zip(scored.sources, scored.scores, strict=True):
        z = _standardised(scores, items)
        n_better = _n_better(z)
        proposed += n_better < IN_TOP
        yield from _of_source(name, z, n_better)
    z = _standardised(scored.blended, items)
    yield from _of_source(BLEND, z, _n_better(z))
    yield "n sources proposing", proposed


def _of_source(name: str, z: Floats, n_better: Floats) -> Columns:
    yield f"z {name}", z
    yield f"rank {name}", -np.log1p(n_better)
    best = np.where(np.isnan(z), -np.inf, z).max(axis=1, keepdims=True, initial=-np.inf)
    yield f"margin {name}", np.where(np.isnan(z), _NAN, best - z)


def _standardised(scores: Floats, items: Rows) -> Floats:
    """Give the candidates' scores in deviations from the mean over the catalogue, (B, K)."""
    known = np.isfinite(scores)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1).astype(np.float32)
    filled = np.where(known, scores, np.float32(0))
    means = filled.sum(axis=1, keepdims=True) / counts
    filled -= means
    filled *= known
    deviations = np.sqrt(np.vecdot(filled, filled)[:, None] / counts)
    own = np.take_along_axis(scores, np.maximum(items, 0).astype(np.int64), axis=1)
    own = np.where(np.isfinite(own) & (items >= 0), own - means, _NAN)
    return np.divide(own, deviations, out=np.where(np.isnan(own), own, 0), where=deviations > 0)


def _n_better(z: Floats) -> Floats:
    """Count for each candidate those with a strictly better score, NaN where it has none."""
    counts = np.full(z.shape, _NAN)
    for row, values in enumerate(z):
        known = ~np.isnan(values)
        ordered = np.sort(values[known])
        counts[row, known] = len(ordered) - np.searchsorted(ordered, values[known], side="right")
    return counts


def _of_items(queries: Queries, items: Rows, evidence: ItemEvidence) -> Columns:
    yield "log count", evidence.popularity[items]
    yield "is new", evidence.is_new[items].astype(np.float32)
    if evidence.approval is not None:
        means, _ = _moments(queries, evidence.approval)
        yield "approval", evidence.approval[items]
        yield "mean approval", means[:, None]
    if evidence.recent is None or evidence.first_seen is None:
        return
    recent = [counts[items] for counts in evidence.recent]
    for days, counts in zip(RECENT_DAYS, recent, strict=True):
        yield f"log count {days} days", np.log1p(counts)
    short, long = (np.log((c + 1) / d) for c, d in zip(recent, RECENT_DAYS, strict=True))
    yield "trend", short - long
    first = evidence.first_seen[items]
    ages = np.maximum(_asked_at(queries, evidence)[:, None] - first, 0) / DAY
    yield "log age days", np.where(first == NEVER, _NAN, np.log1p(ages)).astype(np.float32)


def _of_users(queries: Queries, items: Rows, evidence: ItemEvidence) -> Columns:
    histories = queries.histories
    known = histories.lengths > 0
    yield "log history", np.log1p(histories.lengths).astype(np.float32)[:, None]
    means, deviations = _moments(queries, evidence.popularity)
    yield "mean popularity", means[:, None]
    yield "deviation popularity", deviations[:, None]
    yield "popularity gap", evidence.popularity[items] - means[:, None]
    if histories.times is not None:
        last = np.zeros(len(queries), dtype=np.int64)
        last[known] = histories.times[histories.offsets[1:][known] - 1]
        days = np.maximum(_asked_at(queries, evidence) - last, 0) / DAY
        yield "log days idle", np.where(known, np.log1p(days), _NAN).astype(np.float32)[:, None]


def _asked_at(queries: Queries, evidence: ItemEvidence) -> NDArray[np.int64]:
    now = np.full(len(queries), evidence.now, dtype=np.int64)
    return now if queries.times is None else queries.times


def _moments(queries: Queries, values: Floats) -> tuple[Floats, Floats]:
    """Give mean and deviation of what is known of each history's items, (B,), NaN without any."""
    histories = queries.histories
    owners = segment_rows(histories.offsets)
    own = values[histories.items].astype(np.float64)
    known = np.asarray(~np.isnan(own))
    owners, own = owners[known], own[known]
    counts = np.bincount(owners, minlength=len(queries)).astype(np.float64)
    counts[counts == 0] = np.nan
    means = np.bincount(owners, own, minlength=len(queries)) / counts
    squares = np.bincount(owners, (own - means[owners]) ** 2, minlength=len(queries))
    return means.astype(np.float32), np.sqrt(squares / counts).astype(np.float32)


def _of_text(queries: Queries, items: Rows, evidence: ItemEvidence) -> Columns:
    """Compare each candidate's words with those of the last events that have any."""
    best, mean, last = (np.full(items.shape, _NAN) for _ in range(3))
    recent = queries.histories.last(_LAST)
    vectors, has_text = evidence.vectors, evidence.has_text
    for row, (start, end) in enumerate(zip(recent.offsets[:-1], recent.offsets[1:], strict=True)):
        history = recent.items[start:end]
        told = history[has_text[history]]
        if not len(told):
            continue
        cosines = vectors[items[row]] @ vectors[told].T  # (K, T)
        cosines[~has_text[items[row]]] = _NAN
        best[row], mean[row], last[row] = cosines.max(axis=1), cosines.mean(axis=1), cosines[:, -1]
    yield "best cosine", best
    yield "mean cosine", mean
    yield "last cosine", last


def _of_groups(queries: Queries, items: Rows, evidence: ItemEvidence) -> Columns:
    """Count the events with items of the candidate's own groups, mean over these groups."""
    histories = queries.histories
    lengths = histories.lengths
    for name, codes in evidence.groups.items():
        n_groups = evidence.n_groups[name] + 1  # the last one is none, and counts nothing
        owners = segment_rows(histories.offsets)
        counts = _profile(codes, histories.items, owners, (len(queries), n_groups))
        last = histories.last(1)
        latest = _profile(codes, last.items, segment_rows(last.offsets), counts.shape)
        own = codes[items]  # (B, K, M)
        has_any = (own >= 0).any(axis=-1) & (lengths > 0)[:, None]
        shared = _mean_over(counts, own)
        yield f"same {name}", np.where(has_any, shared, _NAN)
        share = shared / np.maximum(lengths, 1).astype(np.float32)[:, None]
        yield f"share {name}", np.where(has_any, share, _NAN)
        yield f"last {name}", np.where(has_any, _mean_over(latest, own), _NAN)


def _profile(codes: Rows, items: Rows, owners: NDArray[np.int64], shape: tuple[int, int]) -> Floats:
    """Count each group in each history, float32 (B, G + 1)."""
    own = codes[items]  # (n, M)
    keys = owners[:, None] * shape[1] + own
    counts = np.bincount(keys[own >= 0], minlength=shape[0] * shape[1])
    return counts.reshape(shape).astype(np.float32)


def _mean_over(counts: Floats, own: Rows) -> Floats:
    """Give the mean count of each candidate's groups, float32 (B, K)."""
    rows = np.arange(len(own))[:, None, None]
    n_own: NDArray[np.int64] = np.maximum((own >= 0).sum(axis=-1), 1)
    return counts[rows, own].sum(axis=-1) / n_own.astype(np.float32)  # -1 is the empty last column


def _of_numbers(queries: Queries, items: Rows, evidence: ItemEvidence) -> Columns:
    """Say how far a year or a price is from the history's, in deviations over the catalogue."""
    for name, values in evidence.numbers.items():
        means, _ = _moments(queries, values)
        above = (values[items] - means[:, None]) / evidence.spreads[name]
        yield f"number {name}", values[items]
        yield f"above {name}", above
        yield f"away {name}", np.abs(above)
