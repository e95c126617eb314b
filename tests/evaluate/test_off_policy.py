"""Estimates against the truth of a world whose policies and clicks are all known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from longtale.data.impressions import Impressions
from longtale.errors import DataError
from longtale.evaluate.logged_slates import LoggedSlates
from longtale.evaluate.off_policy import (
    Estimate,
    OffPolicySettings,
    RewardModel,
    doubly_robust,
    ips,
    snips,
)
from longtale.seeds import generator

N_CONTEXTS, N_ITEMS, N_RANKS = 3, 6, 2
QUIET = OffPolicySettings(n_bootstrap=0)


@dataclass(frozen=True)
class World:
    """Contexts in which two ranks are each filled by a policy; clicks need item, rank, context.

    Args:
        old: (contexts, ranks, items), the logging policy.
        new: the policy to judge.
        clicks: probability of a click.
    """

    old: np.ndarray
    new: np.ndarray
    clicks: np.ndarray

    @classmethod
    def drawn(cls, seed: int = 0) -> World:
        rng = generator(seed, "off policy world")
        shape = (N_CONTEXTS, N_RANKS, N_ITEMS)
        old, new = rng.dirichlet(np.ones(N_ITEMS), size=(2, N_CONTEXTS, N_RANKS))
        return cls(0.8 * old + 0.2 / N_ITEMS, new, rng.random(shape))

    @property
    def truth(self) -> float:
        return float((self.new * self.clicks).sum(axis=(1, 2)).mean())

    def log(self, n_slates: int, seed: int) -> Log:
        rng = generator(seed, "off policy log")
        contexts = np.repeat(rng.integers(N_CONTEXTS, size=n_slates), N_RANKS)
        ranks = np.tile(np.arange(N_RANKS), n_slates)
        chances = self.old[contexts, ranks].cumsum(axis=1)
        items = (rng.random((len(ranks), 1)) > chances).sum(axis=1).clip(max=N_ITEMS - 1)
        shown = (contexts, ranks, items)
        rewards = (rng.random(len(ranks)) < self.clicks[shown]).astype(float)
        slates = np.repeat(np.arange(n_slates), N_RANKS)
        logged = LoggedSlates(slates, ranks + 1, self.old[shown], rewards)
        return Log(logged, self.new[shown], contexts, ranks, items)

    def model(self, log: Log, noise: float = 0.0) -> RewardModel:
        clicks = self.clicks + noise * (self.new > self.old)
        expected = (self.new * clicks).sum(axis=2)
        shown = clicks[log.contexts, log.ranks, log.items]
        return RewardModel(shown, expected[log.contexts, log.ranks])


@dataclass(frozen=True)
class Log:
    logged: LoggedSlates
    new: np.ndarray
    contexts: np.ndarray
    ranks: np.ndarray
    items: np.ndarray


WORLD = World.drawn()


@pytest.fixture
def rng():
    return generator(0, "test off policy")


def estimate(method: str, log: Log, settings: OffPolicySettings = QUIET) -> Estimate:
    rng = generator(0, "bootstrap")
    match method:
        case "ips":
            return ips(log.logged, log.new, settings, rng=rng)
        case "snips":
            return snips(log.logged, log.new, settings, rng=rng)
        case "dr":
            return doubly_robust(log.logged, log.new, WORLD.model(log), settings, rng=rng)
        case "dr with a wrong model":
            return doubly_robust(log.logged, log.new, WORLD.model(log, 0.5), settings, rng=rng)
    raise ValueError(method)


METHODS = ("ips", "snips", "dr", "dr with a wrong model")


def many(method: str, n_slates: int = 200, n_logs: int = 400) -> np.ndarray:
    return np.array([estimate(method, WORLD.log(n_slates, s)).value for s in range(n_logs)])


@pytest.mark.parametrize("method", ["ips", "dr", "dr with a wrong model"])
def test_estimate_is_unbiased(method):
    values = many(method)
    standard_error = values.std() / np.sqrt(len(values))
    assert abs(values.mean() - WORLD.truth) < 3 * standard_error


def test_the_log_itself_earns_something_else():
    log = WORLD.log(20_000, 0)
    seen = log.logged.rewards.sum() / log.logged.n_slates
    assert abs(seen - WORLD.truth) > 0.05


@pytest.mark.parametrize("method", METHODS)
def test_estimate_comes_near_the_truth_on_a_long_log(method):
    assert estimate(method, WORLD.log(50_000, 1)).value == pytest.approx(WORLD.truth, abs=0.02)


def test_a_good_model_and_normalising_make_the_estimate_vary_less():
    spread = {method: many(method).std() for method in ("ips", "snips", "dr")}
    assert spread["dr"] < spread["snips"] < spread["ips"]


def test_model_alone_would_be_wrong():
    log = WORLD.log(50_000, 2)
    wrong = WORLD.model(log, 0.5).new.sum() / log.logged.n_slates
    assert wrong > WORLD.truth + 0.3


@pytest.mark.parametrize("method", ["ips", "snips"])
def test_old_policy_is_judged_by_what_it_earned(method):
    log = WORLD.log(300, 3)
    own = replace(log, new=log.logged.propensities)
    earned = log.logged.rewards.sum() / log.logged.n_slates
    assert estimate(method, own).value == pytest.approx(earned)


def test_formulas_written_out(rng):
    logged = LoggedSlates(
        slates=np.array([0, 0, 1]),
        ranks=np.array([1, 2, 1]),
        propensities=np.array([0.5, 0.25, 1.0]),
        rewards=np.array([1.0, 1.0, 0.0]),
    )
    new = np.array([1.0, 0.5, 0.5])  # weights 2, 2, 1/2
    model = RewardModel(np.array([0.5, 0.5, 0.5]), np.array([0.7, 0.2, 0.1]))
    assert ips(logged, new, QUIET, rng=rng).value == pytest.approx((2 + 2 + 0) / 2)
    assert snips(logged, new, QUIET, rng=rng).value == pytest.approx(2 / 2.5 + (2 / 2) * 1 / 2)
    corrected = (0.7 + 2 * 0.5) + (0.2 + 2 * 0.5) + (0.1 - 0.5 * 0.5)
    found = doubly_robust(logged, new, model, QUIET, rng=rng)
    assert found.value == pytest.approx(corrected / 2)
    assert found.ess == pytest.approx(4.5**2 / 8.25)
    assert found.least_ess_share == pytest.approx(2.5**2 / 4.25 / 2)


def test_a_constant_added_to_the_rewards_is_added_to_snips():
    log = WORLD.log(300, 4)
    richer = replace(log, logged=replace(log.logged, rewards=log.logged.rewards + 5))
    gain = estimate("snips", richer).value - estimate("snips", log).value
    assert gain == pytest.approx(5 * N_RANKS)


def test_clipping_pulls_ips_down_and_is_reported():
    log = WORLD.log(2000, 5)
    free, tight = (
        estimate("ips", log, QUIET.model_copy(update={"max_weight": m})) for m in (50.0, 1.0)
    )
    assert free.clipped == 0
    assert 0 < tight.clipped < 1
    assert tight.value < free.value


@pytest.mark.parametrize("method", METHODS)
def test_interval_holds_as_often_as_it_says(method):
    settings = OffPolicySettings(n_bootstrap=100, confidence=0.8)
    found = [estimate(method, WORLD.log(200, s), settings) for s in range(100)]
    held = np.mean([each.low <= WORLD.truth <= each.high for each in found])
    assert 0.65 < held < 0.92


def test_without_draws_there_is_no_interval():
    found = estimate("ips", WORLD.log(50, 6))
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("method", METHODS)
def test_estimate_is_refused_where_the_log_seldom_shows_what_is_asked(method):
    log = WORLD.log(2000, 7)
    rare = np.where(np.arange(len(log.new)) % 100 < 2, 0.1, 0.0)
    with pytest.raises(DataError, match=r"leave \d\.\d% of the impressions"):
        estimate(method, replace(log, new=rare))


def test_one_bad_rank_is_enough_to_refuse():
    log = WORLD.log(2000, 8)
    second_is_rare = np.where((log.ranks == 1) & (np.arange(len(log.new)) % 50 > 1), 0.0, log.new)
    with pytest.raises(DataError, match="at rank 2 the weights leave"):
        estimate("ips", replace(log, new=second_is_rare))


def test_estimate_is_refused_where_nothing_is_known_whatever_the_settings():
    log = WORLD.log(20, 9)
    careless = QUIET.model_copy(update={"least_ess": 0.0})
    with pytest.raises(DataError, match="more exploration"):
        estimate("ips", replace(log, new=np.zeros(len(log.new))), careless)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"propensities": np.array([0.5, 0.0])}, "propensity 0.0"),
        ({"propensities": np.array([0.5, np.nan])}, "propensity nan"),
        ({"propensities": np.array([1.5, 0.5])}, "propensity 1.5"),
        ({"rewards": np.array([np.nan, 0.5])}, "impression 0 has the reward nan"),
        ({"ranks": np.array([0, 1])}, "rank 0"),
        ({"ranks": np.array([1, 1])}, "two impressions of the same rank"),
        ({"rewards": np.array([0.5])}, "1 values of reward for 2 impressions"),
    ],
)
def test_log_that_cannot_be_is_refused(changed, message):
    parts = {
        "slates": np.zeros(2, dtype=np.int64),
        "ranks": np.array([1, 2]),
        "propensities": np.array([0.5, 0.5]),
        "rewards": np.ones(2),
    }
    with pytest.raises(DataError, match=message):
        LoggedSlates(**(parts | changed))


@pytest.mark.parametrize("new", [np.array([2.0, 0.5]), np.array([0.5]), np.array([np.nan, 0.5])])
def test_policy_without_a_probability_for_each_impression_is_refused(new, rng):
    logged = LoggedSlates(np.zeros(2, dtype=np.int64), np.array([1, 2]), np.ones(2), np.ones(2))
    with pytest.raises(DataError, match="a probability from 0 to 1 for each of 2 impressions"):
        ips(logged, new, rng=rng)


def test_empty_log_is_refused(rng):
    nothing = np.array([], dtype=np.int64)
    logged = LoggedSlates(nothing, nothing, nothing.astype(float), nothing.astype(float))
    with pytest.raises(DataError, match="no impression"):
        ips(logged, nothing.astype(float), rng=rng)


def test_impressions_become_a_log(rng):
    impressions = Impressions(
        slates=pl.Series("slate_id", ["b", "a", "b"]),
        users=np.int32([0, 1, 0]),
        items=np.int32([4, 5, 6]),
        ranks=np.int32([1, 1, 2]),
        propensities=np.float32([1, 0.5, 0.25]),
    )
    logged = LoggedSlates.of(impressions, np.float32([0, 1, 1]))
    assert logged.n_slates == 2
    assert logged.slates.tolist() == [1, 0, 1]
    assert ips(logged, logged.propensities, QUIET, rng=rng).value == 1.0
