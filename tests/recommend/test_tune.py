"""Searching settings: what is tried, for how long, on which fold, and what is kept."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, split
from longtale.data.synthetic import dataset_of, generated, two_tribes
from longtale.errors import MissingExtraError, SettingsError, SplitError
from longtale.recommend import tune as module
from longtale.recommend.assemble import Fitting, fit_retriever
from longtale.recommend.refine import changed, with_values
from longtale.recommend.search_space import SPACES, Dimension, dimensions_of, values_of
from longtale.recommend.settings import LongtaleSettings, ModelsSettings
from longtale.recommend.tune import Tuned

IDS = [f"{dimension.name}.{dimension.key}" for dimension in SPACES]


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock by which fitting ease takes five seconds, and any other retriever one."""
    clock = Clock()

    def fit(name: str, fitting: Fitting) -> object:
        clock.now += 5 if name == "ease" else 1
        return fit_retriever(name, fitting)

    monkeypatch.setattr(module, "fit_retriever", fit)
    return clock


def using(settings: LongtaleSettings, *names: str, **values: object) -> LongtaleSettings:
    """Settings that use these retrievers; `ease__l2=3.0` changes a setting of one."""
    models = with_values(
        settings.models, {key.replace("__", "."): value for key, value in values.items()}
    )
    return settings.model_copy(update={"models": models.model_copy(update={"use": names})})


def tune(
    dataset: Dataset, settings: LongtaleSettings, clock: Clock, *, seconds: float, **more: object
) -> Tuned:
    pytest.importorskip("optuna")
    return module.tune(dataset, settings, minutes=seconds / 60, clock=clock, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("dimension", SPACES, ids=IDS)
def test_every_line_of_the_table_is_a_setting_and_its_values_are_allowed(
    dimension: Dimension,
) -> None:
    own = getattr(ModelsSettings(), dimension.name)
    (present,) = values_of(own, [dimension]).values()
    tried = dimension.choices if dimension.choices else (dimension.low, dimension.high)
    tried = (*tried, None) if dimension.or_none else tried
    for value in tried:
        values = changed(own, dimension.key, value).model_dump(mode="json")
        type(own).parse(values)
        if dimension.whole:
            assert isinstance(value, int) and isinstance(present, int)
    if not dimension.choices:
        assert dimension.low < dimension.high
        assert dimension.low > 0 or not dimension.log
    if dimension.or_none:
        assert present is None, "TOML cannot say none: it must be the default"


@pytest.mark.parametrize("dimension", SPACES, ids=IDS)
@pytest.mark.parametrize("own", [None, 7.0, 123456])
def test_a_trial_can_be_asked_for_any_present_value(
    dimension: Dimension, own: float | None
) -> None:
    optuna = pytest.importorskip("optuna")
    own = int(own) if dimension.whole and own is not None else own
    held = dimension.holding(own)
    trial = optuna.trial.FixedTrial(held.asked_for(own))
    assert held.suggested(trial, own) == own


def test_found_numbers_have_few_digits() -> None:
    optuna = pytest.importorskip("optuna")
    dimension = Dimension("ease", "l2", 1.0, 5000.0)
    trial = optuna.trial.FixedTrial({"l2": 123.456})
    assert dimension.suggested(trial, 300.0) == 123.0
    assert dimension.suggested(trial, 123.456) == 123.456


def test_the_table_leaves_out_what_needs_times() -> None:
    assert not dimensions_of("rising", has_times=False)
    keys = {d.key for d in dimensions_of("sequence_linear", has_times=False)}
    assert "l2" in keys
    assert "window_days" not in keys


def test_poor_settings_become_better_and_all_others_stay(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    start = using(settings, "ease", "user_knn", ease__l2=1e9, ease__tail=1.0)
    tuned = tune(generated(rng, 120, 60, 2400), start, clock, seconds=200, only=["ease"])
    (finding,) = tuned.findings
    assert finding.after > finding.before
    assert finding.changed["l2"] < 1e9
    assert tuned.settings.models.ease == with_values(start.models.ease, finding.changed)
    assert tuned.settings.models.user_knn == start.models.user_knn
    assert tuned.settings.encode == start.encode


def test_the_present_settings_are_tried_first(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    start = using(settings, "ease", "item_knn", ease__l2=123.456)
    tuned = tune(two_tribes(rng), start, clock, seconds=6)
    assert [(f.n_trials, f.changed, f.after - f.before) for f in tuned.findings] == [
        (1, {}, 0.0),
        (1, {}, 0.0),
    ]
    assert tuned.settings == start


def test_retrievers_get_equal_time_and_cheap_ones_more_trials(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    tuned = tune(two_tribes(rng), using(settings, "ease", "item_knn"), clock, seconds=50)
    trials = {finding.name: finding.n_trials for finding in tuned.findings}
    assert trials == {"ease": 5, "item_knn": 25}


def test_no_trial_is_begun_that_is_expected_to_last_too_long(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    tune(two_tribes(rng), using(settings, "ease"), clock, seconds=14.9)
    assert clock.now == 10


def test_what_there_was_no_time_for_is_named(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    tuned = tune(two_tribes(rng), using(settings, "ease", "semantic"), clock, seconds=4)
    assert [finding.name for finding in tuned.findings] == ["ease"]
    assert tuned.not_reached == ("semantic",)


def test_a_search_ends_where_more_trials_would_find_nothing(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, monkeypatch
) -> None:
    monkeypatch.setattr("longtale.recommend.study.MOST_TRIALS", 2)
    tuned = tune(two_tribes(rng), using(settings, "item_knn"), clock, seconds=10_000)
    assert tuned.findings[0].n_trials == 2 * len(dimensions_of("item_knn", has_times=False))


def test_the_same_seed_finds_the_same(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    dataset, start = two_tribes(rng), using(settings, "item_knn")
    first, second, other = (tune(dataset, start, clock, seconds=9, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_search_goes_on_where_it_was(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, tmp_path: Path
) -> None:
    dataset, start, study = two_tribes(rng), using(settings, "item_knn"), tmp_path / "study"
    first = tune(dataset, start, clock, seconds=5, study=study)
    second = tune(dataset, start, clock, seconds=3, study=study)
    assert (first.findings[0].n_trials, second.findings[0].n_trials) == (5, 8)
    assert second.findings[0].before == first.findings[0].before
    looked = tune(dataset, start, clock, seconds=0, study=study)
    assert looked.findings == second.findings
    anew = tune(dataset, start, clock, seconds=2, study=study, again=True)
    assert anew.findings[0].n_trials == 2


def test_a_search_that_goes_on_draws_nothing_twice(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, monkeypatch, tmp_path: Path
) -> None:
    tried, fit = [], module.fit_retriever

    def spied(name: str, fitting: Fitting) -> object:
        tried.append(repr(fitting.settings.item_knn))
        return fit(name, fitting)

    monkeypatch.setattr(module, "fit_retriever", spied)
    dataset, start, study = two_tribes(rng), using(settings, "item_knn"), tmp_path / "study"
    for _ in range(3):
        tune(dataset, start, clock, seconds=2, study=study)
    assert len(tried) == len(set(tried)) == 6


def test_what_was_found_need_not_be_tried_again_once_it_is_set(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, tmp_path: Path
) -> None:
    dataset, study = generated(rng, 120, 60, 2400), tmp_path / "study"
    start = using(settings, "item_knn", item_knn__neighbours=1)
    found = tune(dataset, start, clock, seconds=12, study=study)
    after = tune(dataset, found.settings, clock, seconds=0, study=study)
    assert found.findings[0].changed
    assert not after.findings[0].changed
    assert after.findings[0].before == found.findings[0].after


def test_trials_of_other_data_or_other_fixed_settings_do_not_count(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, tmp_path: Path
) -> None:
    dataset, start, study = two_tribes(rng), using(settings, "ease"), tmp_path / "study"
    tune(dataset, start, clock, seconds=30, study=study)
    kept_less = using(settings, "ease", ease__kept=3)
    assert tune(dataset, kept_less, clock, seconds=4, study=study).findings[0].n_trials == 1
    others = two_tribes(rng)
    assert tune(others, start, clock, seconds=4, study=study).findings[0].n_trials == 1


def test_an_interrupt_keeps_what_was_found(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, monkeypatch, tmp_path: Path
) -> None:
    dataset, start, study = two_tribes(rng), using(settings, "item_knn"), tmp_path / "study"
    fit = module.fit_retriever

    def interrupted(name: str, fitting: Fitting) -> object:
        if clock.now == 3:
            raise KeyboardInterrupt
        return fit(name, fitting)

    monkeypatch.setattr(module, "fit_retriever", interrupted)
    tuned = tune(dataset, start, clock, seconds=60, study=study)
    assert tuned.is_stopped
    assert tuned.findings[0].n_trials == 3
    monkeypatch.setattr(module, "fit_retriever", fit)
    again = tune(dataset, start, clock, seconds=2, study=study)
    assert not again.is_stopped
    assert again.findings[0].n_trials == 5


def test_values_with_which_no_model_can_be_made_are_passed_over(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, monkeypatch, caplog
) -> None:
    fit = module.fit_retriever

    def failing(name: str, fitting: Fitting) -> object:
        fitted = fit(name, fitting)
        if clock.now == 2:
            raise np.linalg.LinAlgError("not positive definite")
        return fitted

    monkeypatch.setattr(module, "fit_retriever", failing)
    with caplog.at_level(logging.WARNING, "longtale"):
        tuned = tune(two_tribes(rng), using(settings, "item_knn"), clock, seconds=4)
    assert tuned.findings[0].n_trials == 3
    assert "not positive definite" in caplog.text


def test_nothing_of_a_test_is_seen(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock, monkeypatch
) -> None:
    dataset = generated(rng, 120, 60, 2400)
    asked: dict[str, Fold | None] = {}
    fit = module.fit_retriever

    def spied(name: str, fitting: Fitting) -> object:
        asked[name] = fitting.held_out
        assert fitting.held_out is not None
        assert fitting.dataset is fitting.held_out.train
        return fit(name, fitting)

    monkeypatch.setattr(module, "fit_retriever", spied)
    names = ("item_knn", "cold_map")
    tuned = tune(dataset, using(settings, *names), clock, seconds=2)
    for finding in tuned.findings:
        fold = split(dataset, ProtocolName(finding.judged_by), settings.split).validation
        assert asked[finding.name].train.fingerprint == fold.train.fingerprint
        assert asked[finding.name].targets.items.tolist() == fold.targets.items.tolist()
    judged_by = {finding.name: finding.judged_by for finding in tuned.findings}
    assert judged_by == {"item_knn": "refit", "cold_map": "cold-items"}


def test_models_trained_pass_by_pass_are_searched_only_by_name(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    start = using(settings, "sequence", "item_knn")
    tuned = tune(two_tribes(rng), start, clock, seconds=1)
    assert [finding.name for finding in tuned.findings] == ["item_knn"]


@pytest.mark.torch
def test_sequence_models_can_be_searched(
    settings: LongtaleSettings, rng: np.random.Generator, clock: Clock
) -> None:
    pytest.importorskip("torch")
    start = using(settings, "item_knn", sequence__epochs=1)
    tuned = tune(two_tribes(rng), start, clock, seconds=2, only=["sequence"])
    assert [(f.name, f.n_trials) for f in tuned.findings] == [("sequence", 2)]


@pytest.mark.parametrize(
    ("only", "use", "minutes", "message"),
    [
        (["eas"], ("ease",), 1, "did you mean 'ease'"),
        (["popular"], ("popular",), 1, "nothing of 'popular' can be searched; expected"),
        (["rising"], ("rising",), 1, "since the data have no times"),
        ([], ("popular", "sequence"), 1, "name what to search"),
        ([], ("ease",), -1, "minutes is -1; it must be 0 or more"),
        ([], ("ease",), float("nan"), "minutes is nan"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    settings: LongtaleSettings, rng: np.random.Generator, only, use, minutes, message
) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(SettingsError, match=message):
        module.tune(two_tribes(rng), using(settings, *use), minutes=minutes, only=only)


def test_data_that_cannot_validate_are_refused(settings: LongtaleSettings, clock: Clock) -> None:
    with pytest.raises(SplitError, match="user"):
        tune(dataset_of([[0], [1]]), using(settings, "ease"), clock, seconds=9)


def test_without_optuna_the_error_names_the_extra(
    settings: LongtaleSettings, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"longtale\[tune\]"):
        module.tune(two_tribes(rng), settings, minutes=1)
