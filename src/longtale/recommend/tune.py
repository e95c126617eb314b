"""The settings of each retriever, searched on validation within a budget of time.

Each retriever alone is fitted on a fold's training part and judged by its nDCG@10 on full ranking.
The folds are those that validate in the protocols refit and, for what is made for items that nobody
has met, cold-items: the tests of `evaluate` under these protocols never take part. The best of many
trials owes something to luck, so what was found is to be measured by such a test.

Values are proposed by a tree-structured Parzen estimator (TPE; Bergstra et al., 2011), with the
present settings as the first trial: what is found is never worse than these on the fold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from longtale import log
from longtale.arrays import Floats
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.errors import SettingsError, did_you_mean
from longtale.recommend.assemble import TRAINED, Fitting, fit_retriever
from longtale.recommend.choose import encoded
from longtale.recommend.cost import Cost, Progress
from longtale.recommend.refine import quality, with_values
from longtale.recommend.search_space import JUDGED_BY, SPACES, Value, dimensions_of
from longtale.recommend.settings import LongtaleSettings, ModelsSettings, RetrieverName
from longtale.recommend.study import TRIED, Search, storage_in
from longtale.stages import Advance


@dataclass(frozen=True)
class Finding:
    """What was found for one retriever.

    Args:
        name: which.
        judged_by: whose validation fold judged.
        before: nDCG@10 of the present settings there.
        after: of the best.
        n_trials: how many were judged, in this run and those before.
        changed: new values by dotted key, only those that differ.
    """

    name: RetrieverName
    judged_by: ProtocolName
    before: float
    after: float
    n_trials: int
    changed: Mapping[str, Value]


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Args:
        findings: in the order of the search.
        settings: all settings, with what was found.
        not_reached: for these there was no time to try the present settings.
        is_stopped: whether it was stopped by hand before its time was over.
    """

    findings: tuple[Finding, ...]
    settings: LongtaleSettings
    not_reached: tuple[RetrieverName, ...] = ()
    is_stopped: bool = False


def tune(
    dataset: Dataset,
    settings: LongtaleSettings | None = None,
    *,
    minutes: float,
    study: Path | None = None,
    only: Sequence[str] = (),
    again: bool = False,
    progress: Progress | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Search the settings of the retrievers, each of which gets about the same time.

    A trial is begun only where the time left is as long as the trials of its retriever took in the
    mean; the first of each may take longer. An interrupt (Ctrl-C) ends the search and keeps what
    was found.

    Args:
        dataset: catalogue, users and events.
        settings: where the search starts; None takes the defaults.
        minutes: for how long, preparation included; 0 gives what is in the study.
        study: file in which trials are kept, so that the search of the same data goes on where it
            was; None keeps nothing.
        only: the retrievers to search; nothing means all in use but those trained pass by pass.
        again: forget the trials that the file holds of these retrievers.
        progress: shows how far it is; None shows nothing.
        seed: decides what is tried.
        clock: gives seconds.

    Raises:
        SettingsError: a retriever is unknown or has nothing to search, or minutes are below 0.
        SplitError: the data cannot be cut for validation.
        MissingExtraError: optuna is not installed.
    """
    settings = LongtaleSettings() if settings is None else settings
    if not minutes >= 0:
        raise SettingsError(f"minutes is {minutes}; it must be 0 or more")
    end = clock() + 60 * minutes
    cost = Cost(progress)
    storage = storage_in(study)
    searches = [
        Search.begun(name, dataset, settings, storage, seed=seed, again=again)
        for name in _searched(settings.models, only, has_times=dataset.has_times)
    ]
    is_stopped = bool(minutes) and _stopped_by_hand(searches, dataset, settings, end, clock, cost)
    return _tuned(searches, settings, is_stopped=is_stopped)


def _searched(
    models: ModelsSettings, only: Sequence[str], *, has_times: bool
) -> tuple[RetrieverName, ...]:
    """Give the retrievers to search, in the order of the table.

    Raises:
        SettingsError: there is nothing to search.
    """
    known = dict.fromkeys(dimension.name for dimension in SPACES)
    able = [name for name in known if dimensions_of(name, has_times=has_times)]
    for name in only:
        if name not in able:
            why = ", since the data have no times" if name in known else ""
            raise SettingsError(
                f"nothing of '{name}' can be searched{why}; expected some of {', '.join(able)}"
                f"{did_you_mean(name, able)}"
            )
    asked = only if only else [name for name in models.use if name not in TRAINED]
    found = tuple(name for name in able if name in asked)
    if not found:
        raise SettingsError(
            f"models.use is {list(models.use)}, of which nothing is searched; "
            f"name what to search, some of {', '.join(able)}"
        )
    return found


def _stopped_by_hand(
    searches: Sequence[Search],
    dataset: Dataset,
    settings: LongtaleSettings,
    end: float,
    clock: Callable[[], float],
    cost: Cost,
) -> bool:
    """Try until the time is over or nothing is left to try; whether an interrupt came before."""
    start = clock()
    bench = cache(lambda protocol: _bench(dataset, protocol, settings, cost))
    try:
        for search in searches:
            bench(JUDGED_BY.get(search.name, ProtocolName.REFIT))
        with cost.stage("tune", total=max(1, round(end - start))) as advance:
            elapsed = _Elapsed(start, clock, advance)
            while able := [s for s in searches if s.fits(end - clock())]:
                search = min(able, key=lambda s: sum(s.seconds))
                fold, vectors = bench(JUDGED_BY.get(search.name, ProtocolName.REFIT))
                began = clock()
                _try(search, fold, vectors, settings.models)
                search.seconds.append(clock() - began)
                elapsed.tell()
    except KeyboardInterrupt:
        return True
    return False


class _Elapsed:
    """Tells a progress bar the whole seconds that have passed."""

    def __init__(self, start: float, clock: Callable[[], float], advance: Advance) -> None:
        self._start, self._clock, self._advance = start, clock, advance
        self._told = 0

    def tell(self) -> None:
        passed = int(self._clock() - self._start)
        self._advance(passed - self._told)
        self._told = passed


def _bench(
    dataset: Dataset, protocol: ProtocolName, settings: LongtaleSettings, cost: Cost
) -> tuple[Fold, Floats]:
    """Give the fold that judges, and the vectors of the items as it knows them."""
    fold = split(dataset, protocol, settings.split).validation
    return fold, encoded(fold.train, settings, cost).vectors


def _try(search: Search, fold: Fold, vectors: Floats, models: ModelsSettings) -> None:
    """Fit and judge one trial; values with which no model can be made are a trial that failed."""
    from optuna.trial import TrialState

    trial, values = search.next_trial()
    own = getattr(models, search.name)
    tried = models.model_copy(update={search.name: with_values(own, values)})
    reached = None
    try:
        retriever = fit_retriever(search.name, Fitting(fold.train, vectors, tried, fold))
        reached = quality(retriever, fold)
    except np.linalg.LinAlgError as error:
        if values == search.own:
            raise
        log.warn("trial failed", source=search.name, reason=str(error))
    finally:
        search.study.tell(trial, reached, None if reached is not None else TrialState.FAIL)
    log.info("trial done", source=search.name, ndcg=reached, **values)


def _tuned(searches: Sequence[Search], settings: LongtaleSettings, *, is_stopped: bool) -> Tuned:
    findings, models = [], settings.models
    for search in searches:
        finding = _finding(search)
        if finding is not None:
            findings.append(finding)
            best = with_values(getattr(models, search.name), finding.changed)
            models = models.model_copy(update={search.name: best})
    reached = {finding.name for finding in findings}
    return Tuned(
        tuple(findings),
        settings.model_copy(update={"models": models}),
        tuple(search.name for search in searches if search.name not in reached),
        is_stopped,
    )


def _finding(search: Search) -> Finding | None:
    own, trials = search.of_own(), search.done()
    if own is None:
        return None
    best = max([own, *trials], key=lambda trial: float(trial.value or 0))  # the first of equals
    tried: Mapping[str, Value] = best.user_attrs[TRIED]
    return Finding(
        search.name,
        JUDGED_BY.get(search.name, ProtocolName.REFIT),
        float(own.value or 0),
        float(best.value or 0),
        len(trials),
        {key: value for key, value in tried.items() if value != search.own[key]},
    )
