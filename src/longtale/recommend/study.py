"""The trials of one retriever: what is tried next, what was tried, and where that is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from longtale.data.dataset import Dataset
from longtale.errors import MissingExtraError
from longtale.recommend.refine import with_values
from longtale.recommend.search_space import Dimension, Value, dimensions_of, values_of
from longtale.recommend.settings import LongtaleSettings, RetrieverName
from longtale.seeds import generator

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

MOST_TRIALS = 30
"""Trials for each setting of a retriever after which no more is to be expected."""
TRIED = "tried"
"""Name under which a trial keeps the values that it tried."""
_N_RANDOM = 8
"""Trials before the estimator has something to go by."""
_LARGEST_SEED = 2**31 - 1


@dataclass(eq=False)
class Search:
    """The search for one retriever.

    Args:
        name: which.
        dimensions: what is searched.
        own: the present values, by dotted key.
        study: the trials.
        seconds: how long each trial of this run took.
    """

    name: RetrieverName
    dimensions: tuple[Dimension, ...]
    own: Mapping[str, Value]
    study: Study
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def begun(
        cls,
        name: RetrieverName,
        dataset: Dataset,
        settings: LongtaleSettings,
        storage: BaseStorage,
        *,
        seed: int,
        again: bool,
    ) -> Search:
        """Go on where the search of the same data with the same fixed settings was, or begin it."""
        import optuna

        searched = dimensions_of(name, has_times=dataset.has_times)
        own = values_of(getattr(settings.models, name), searched)
        dimensions = tuple(d.holding(own[d.key]) for d in searched)
        of_it = _study_name(name, dimensions, dataset, settings)
        if again and of_it in {each.study_name for each in storage.get_all_studies()}:
            optuna.delete_study(study_name=of_it, storage=storage)
        study = optuna.create_study(
            storage=storage, study_name=of_it, direction="maximize", load_if_exists=True
        )
        # A search that goes on must not draw again what it drew when it began.
        n_before = len(study.get_trials(deepcopy=False))
        drawn = int(generator(seed, f"tune {name} from {n_before}").integers(_LARGEST_SEED))
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=_N_RANDOM, seed=drawn)
        return cls(name, dimensions, own, study)

    def done(self) -> list[FrozenTrial]:
        """Give the trials that were judged, the earliest first."""
        return [t for t in self.study.get_trials(deepcopy=False) if t.values is not None]

    def of_own(self) -> FrozenTrial | None:
        """Give the trial of the present settings, None where they were not tried yet."""
        found = (trial for trial in self.done() if trial.user_attrs[TRIED] == self.own)
        return next(found, None)

    def fits(self, left: float) -> bool:
        """Whether there are both time and reason for another trial."""
        expected = float(np.mean(self.seconds)) if self.seconds else 0.0
        is_worth = len(self.done()) < MOST_TRIALS * len(self.dimensions) or self.of_own() is None
        return left > 0 and left >= expected and is_worth

    def next_trial(self) -> tuple[Trial, dict[str, Value]]:
        """Give a trial and the values it is to try."""
        if self.of_own() is None:
            asked = [d.asked_for(self.own[d.key]) for d in self.dimensions]
            self.study.enqueue_trial({k: v for each in asked for k, v in each.items()})
        trial = self.study.ask()
        values = {d.key: d.suggested(trial, self.own[d.key]) for d in self.dimensions}
        trial.set_user_attr(TRIED, values)
        return trial, values


def _study_name(
    name: RetrieverName,
    dimensions: Sequence[Dimension],
    dataset: Dataset,
    settings: LongtaleSettings,
) -> str:
    """Name a study after all that its values depend on but the settings that are searched."""
    unset = dict.fromkeys(dimension.key for dimension in dimensions)
    fixed = with_values(getattr(settings.models, name), unset)
    content = (
        version("longtale"),
        dataset.fingerprint,
        settings.split.model_dump_json(),
        settings.encode.model_dump_json(),
        repr(fixed),
        [(dimension.key, dimension.choices) for dimension in dimensions],
    )
    return f"{name}-{hashlib.sha256(repr(content).encode()).hexdigest()[:12]}"


def storage_in(file: Path | None) -> BaseStorage:
    """Give the place where trials are kept.

    Raises:
        MissingExtraError: optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", extra="tune", purpose="tuning") from None
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    if file is None:
        return optuna.storages.InMemoryStorage()
    lock = JournalFileOpenLock(str(file))
    return optuna.storages.JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
