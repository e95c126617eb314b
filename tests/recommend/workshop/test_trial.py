"""Judging language models on a user's own data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from longtale.data.dataset import Dataset
from longtale.data.splits.split import ProtocolName, split
from longtale.data.synthetic import TOPICS, generated
from longtale.errors import EncoderError
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.workshop.made import Made, read_made, unmet_by, warn_of_known_answers
from longtale.recommend.workshop.trial import ALL, NEW, SPOILT, Trial
from longtale.recommend.workshop.verdict import Verdict


class TopicEncoder:
    """Reads the topic of a title; with noise it reads little else than chance."""

    fingerprint = "topics"
    dim = 16

    def __init__(self, noise: float) -> None:
        self.noise = noise
        self.n_read = 0

    def encode(self, texts: Sequence[str], **_: object) -> np.ndarray:
        rng = np.random.default_rng(4)
        self.n_read += len(texts)
        vectors = self.noise * rng.normal(size=(len(texts), self.dim))
        for row, text in enumerate(texts):
            words = set(text.lower().replace(".", "").split())
            for place, topic in enumerate(TOPICS):
                vectors[row, place] += len(words & set(topic))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generated(np.random.default_rng(3), 150, 80, 1500)


@pytest.fixture(scope="module")
def trial(dataset: Dataset) -> Trial:
    return Trial.of(dataset, LongtaleSettings(), "refit")


def test_nothing_that_is_asked_for_may_be_learned_from(dataset: Dataset, trial: Trial) -> None:
    cut = split(dataset, ProtocolName.REFIT, trial.settings.split)
    known = trial.train.interactions.histories.matrix(dataset.n_items).toarray() > 0
    for fold in (cut.test, cut.validation, *trial.folds.values(), trial.stopping):
        rows = np.repeat(fold.queries.user_rows, np.diff(fold.targets.offsets))
        assert not known[rows, fold.targets.items].any()
    for fold in (trial.folds[NEW], trial.stopping):
        assert fold.ranked is not None
        assert not known[:, fold.ranked].any()
    assert not (trial.folds[NEW].ranked & trial.stopping.ranked).any()


def test_a_model_that_reads_better_is_worth_it_and_the_other_way_round_is_not(
    trial: Trial, rng: np.random.Generator
) -> None:
    blind, sighted = trial.judged(TopicEncoder(5.0)), trial.judged(TopicEncoder(0.1))
    better = Verdict.of(blind, sighted, trial.folds, rng)
    assert better.is_worth_it
    assert better.sentence().startswith("worth it: +")
    assert {change.slice for change in better.changes} == {NEW, ALL}
    worse = Verdict.of(sighted, blind, trial.folds, rng)
    assert not worse.is_worth_it
    assert worse.sentence().startswith("not worth it: -")


def test_the_same_model_is_not_worth_a_change(trial: Trial, rng: np.random.Generator) -> None:
    found = trial.judged(TopicEncoder(0.1))
    verdict = Verdict.of(found, found, trial.folds, rng)
    assert verdict.sentence().endswith("chance alone may bring")
    assert verdict.as_dict()["changes"][0]["difference"] == 0


def test_a_smaller_model_is_worth_it_where_it_keeps_up(
    trial: Trial, rng: np.random.Generator
) -> None:
    blind, sighted = trial.judged(TopicEncoder(5.0)), trial.judged(TopicEncoder(0.1))
    same = Verdict.of(sighted, sighted, trial.folds, rng, aim="smaller")
    assert same.sentence() == "worth it: 100.0% of nDCG@10 on new items is kept"
    assert not Verdict.of(sighted, blind, trial.folds, rng, aim="smaller").is_worth_it


def test_a_hardened_model_is_worth_it_where_it_sees_through_spoilt_texts(
    dataset: Dataset, rng: np.random.Generator
) -> None:
    trial = Trial.of(dataset, LongtaleSettings(), "refit", is_spoilt=True)
    found, blind = trial.judged(TopicEncoder(0.1)), trial.judged(TopicEncoder(5.0))
    same = Verdict.of(found, found, trial.folds, rng, aim="smaller")
    misled, as_good = ({**found, SPOILT: ranks[NEW]} for ranks in (blind, found))
    better = Verdict.of(misled, as_good, trial.folds, rng, aim="smaller")
    clean, spoilt = (c for c in same.changes if c.slice in (NEW, SPOILT))
    assert spoilt.after < clean.after
    assert not same.is_worth_it
    assert better.is_worth_it
    assert better.sentence().endswith("nDCG@10 on new items, texts spoilt")


def test_a_student_does_not_read_what_judges_it(trial: Trial) -> None:
    hidden = np.flatnonzero(trial.folds[NEW].ranked)
    judges = [trial.texts[row] for row in hidden]
    assert sorted(trial.known_texts + judges) == sorted(trial.texts)
    assert 0 < len(judges) < len(trial.texts)


def test_training_is_stopped_by_a_score_that_reads_only_what_it_needs(trial: Trial) -> None:
    sighted, blind = TopicEncoder(0.1), TopicEncoder(5.0)
    assert trial.stopping_score(sighted.encode) > trial.stopping_score(blind.encode)
    needed = set(trial.stopping.queries.histories.items) | set(
        np.flatnonzero(trial.stopping.ranked)
    )
    assert sighted.n_read == len(needed) < trial.train.n_items


def test_a_test_whose_answers_a_model_may_know_is_warned_of(tmp_path, caplog) -> None:
    Made("finetune", "minilm", "refit", "f", {}, {}).write(tmp_path)
    made = read_made(str(tmp_path))
    assert made is not None
    assert made.protocol == "refit"
    warn_of_known_answers(str(tmp_path), ProtocolName.REFIT)
    assert not caplog.text
    warn_of_known_answers(str(tmp_path), ProtocolName.TIME)
    assert "may know answers of this test" in caplog.text


def test_a_model_says_what_it_has_not_met(tmp_path, trial: Trial) -> None:
    catalog = trial.train.catalog
    assert unmet_by(str(tmp_path), catalog).all()
    Made("finetune", "minilm", "refit", "f", {}, {}, trial.unmet).write(tmp_path)
    unmet = unmet_by(str(tmp_path), catalog)
    assert 0 < unmet.sum() < len(catalog)
    assert not trial.train.item_counts[unmet].any()


def test_models_of_others_say_nothing_and_damage_is_named(tmp_path) -> None:
    assert read_made("minilm") is None
    (tmp_path / "made.json").write_text('{"job": 1}')
    with pytest.raises(EncoderError, match="does not say how the model was made"):
        read_made(str(tmp_path))
