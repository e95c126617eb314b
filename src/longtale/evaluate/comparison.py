"""Which of two is better, and how sure: models of one report, or one model of two reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from longtale.data.splits.split import Protocol
from longtale.errors import DataError, ProtocolMismatchError
from longtale.evaluate.accuracy import Values
from longtale.evaluate.intervals import PairedTest, holm, paired_test
from longtale.evaluate.report import Report


@dataclass(frozen=True)
class Comparison:
    """How much better one is than the other.

    Args:
        first: the model that is compared.
        second: the one it is compared with.
        slice: over which users or targets.
        metric: such as `ndcg@10`.
        test: difference first - second, its interval, and p.
        corrected_p: p after Holm's correction for all comparisons that were made together.
    """

    first: str
    second: str
    slice: str
    metric: str
    test: PairedTest
    corrected_p: float


def paired(
    report: Report,
    first: str,
    others: Sequence[str],
    metric: str,
    *,
    rng: np.random.Generator,
    slice: str = "all",
    n_bootstrap: int = 1000,
) -> tuple[Comparison, ...]:
    """Compare a model with others on the same users; p is corrected for their number.

    Args:
        report: as `evaluate` gave it, with the values per user.
        first: the model that is compared.
        others: the models it is compared with.
        metric: such as `ndcg@10`.
        rng: draws the intervals and the flips.
        slice: over which users or targets.
        n_bootstrap: how many draws, and how many flips.

    Raises:
        DataError: the report does not hold the values.
    """
    own = _values(report, first, slice, metric)
    tests = [
        paired_test(own, _values(report, other, slice, metric), rng=rng, n_bootstrap=n_bootstrap)
        for other in others
    ]
    return _corrected([(first, other, slice, metric) for other in others], tests)


def compare(
    after: Report,
    before: Report,
    metric: str,
    *,
    rng: np.random.Generator,
    slice: str = "all",
    n_bootstrap: int = 1000,
) -> tuple[Comparison, ...]:
    """Compare each model of a report with the same model of an earlier one.

    Where a report was read from a file there are no values per user: the difference has no
    interval.

    Raises:
        ProtocolMismatchError: the two were not made under the same rules.
        DataError: the two share no model, or one does not hold the metric.
    """
    _refuse_other_protocol(after.protocol, before.protocol)
    models = [model for model in after.models if model in before.models]
    if not models:
        raise DataError(
            f"the two reports share no model: one has {', '.join(after.models)}, "
            f"the other {', '.join(before.models)}"
        )
    tests = [
        _test(after, before, (model, slice, metric), rng=rng, n_bootstrap=n_bootstrap)
        for model in models
    ]
    return _corrected([(model, model, slice, metric) for model in models], tests)


def _test(
    after: Report,
    before: Report,
    key: tuple[str, str, str],
    *,
    rng: np.random.Generator,
    n_bootstrap: int,
) -> PairedTest:
    if key in after.per_user and key in before.per_user:
        return paired_test(
            after.per_user[key], before.per_user[key], rng=rng, n_bootstrap=n_bootstrap
        )
    model, slice_name, metric = key
    new, old = (report.find(model, metric, slice_name) for report in (after, before))
    return PairedTest(new.value - old.value, np.nan, np.nan, np.nan, min(new.n, old.n))


def _values(report: Report, model: str, slice_name: str, metric: str) -> Values:
    report.find(model, metric, slice_name)
    if (model, slice_name, metric) not in report.per_user:
        raise DataError(
            f"there is no '{metric}' of single users to test: it is a number of all lists "
            f"together, or the report was read from a file; take another metric, or "
            f"a report just made by `evaluate`"
        )
    return report.per_user[model, slice_name, metric]


def _corrected(
    names: Iterable[tuple[str, str, str, str]], tests: Sequence[PairedTest]
) -> tuple[Comparison, ...]:
    corrected = holm(np.array([test.p for test in tests]))
    return tuple(
        Comparison(*name, test, float(p))
        for name, test, p in zip(names, tests, corrected, strict=True)
    )


def _refuse_other_protocol(after: Protocol, before: Protocol) -> None:
    if after == before:
        return
    here, there = after.stamp.split("; "), before.stamp.split("; ")
    only_here = "; ".join(part for part in here if part not in there)
    only_there = "; ".join(part for part in there if part not in here)
    raise ProtocolMismatchError(
        f"results of different protocols must not be compared:\n  {after.stamp}\n  {before.stamp}\n"
        f"they differ in: '{only_here}' against '{only_there}'; evaluate both under the same "
        f"protocol, settings and data"
    )
