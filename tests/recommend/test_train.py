from __future__ import annotations

import numpy as np
import pytest

from longtale.data.dataset import Dataset
from longtale.data.splits.split import ProtocolName, validation_fold
from longtale.data.synthetic import dataset_of, generated, two_tribes
from longtale.errors import SplitError
from longtale.recommend import choose
from longtale.recommend.cost import Cost
from longtale.recommend.project import read_movielens
from longtale.recommend.refine import refined
from longtale.recommend.settings import LongtaleSettings, ModelsSettings, Quality
from longtale.recommend.train import measure, train
from longtale.search.settings import SearchSettings


def test_training_is_deterministic(settings: LongtaleSettings, rng: np.random.Generator) -> None:
    dataset = two_tribes(rng)
    first, second = (train(dataset, settings) for _ in range(2))
    assert first.version == second.version
    items = [r.recommend(dataset.users.ids[0]).as_dict()["items"] for r in (first, second)]
    assert items[0] == items[1]


def test_each_tribe_gets_its_own(settings: LongtaleSettings, rng: np.random.Generator) -> None:
    dataset = two_tribes(rng, loyalty=1.0)
    recommender = train(dataset, settings)
    half = dataset.n_items // 2
    for row, belongs in ((0, lambda item: item < half), (-1, lambda item: item >= half)):
        best = recommender.recommend(dataset.users.ids[row]).items[0]
        assert belongs(dataset.items.row(best.id))


def test_new_items_are_learned_of_from_those_that_the_encoder_has_not_met(
    settings: LongtaleSettings, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = generated(rng, 120, 60, 2400)
    hidden: list[np.ndarray] = []
    plain = choose.without_items

    def seen(world: Dataset, mask: np.ndarray) -> Dataset:
        hidden.append(mask)
        return plain(world, mask)

    monkeypatch.setattr(choose, "without_items", seen)
    train(dataset, settings)
    unmet = ~hidden[0]
    monkeypatch.setattr(choose, "unmet_by", lambda *_: unmet)
    train(dataset, settings)
    assert hidden[0].sum() == hidden[1].sum() == round(0.1 * 60)
    assert not (hidden[0] & hidden[1]).any()


def test_searches_go_by_the_settings_that_were_trained_with(
    settings: LongtaleSettings, rng: np.random.Generator
) -> None:
    search = SearchSettings.parse({"spelling": {"max_words": 0}})
    recommender = train(two_tribes(rng), settings.model_copy(update={"search": search}))
    assert recommender.searching.settings == search


@pytest.mark.parametrize("protocol", list(ProtocolName))
def test_every_protocol_measures_the_blend_and_each_part(
    settings: LongtaleSettings, rng: np.random.Generator, protocol: ProtocolName
) -> None:
    dataset = generated(rng, 120, 60, 2400)
    report = measure(dataset, protocol, settings)
    assert report.models == ("blend", *settings.models.use)
    assert report.protocol.name is protocol
    assert np.isfinite(report.find("blend", "ndcg@10").value)
    assert report.cost["peak_memory_mb"] > 0
    assert "fit ease for validation_cpu_s" in report.cost


def test_data_without_times_leave_rising_out(
    settings: LongtaleSettings, rng: np.random.Generator
) -> None:
    report = measure(two_tribes(rng), "refit", settings)
    assert "rising" not in report.models


def test_the_fast_preset_leaves_the_slow_parts_out() -> None:
    fast = LongtaleSettings().for_quality(Quality.FAST)
    assert set(fast.models.use) < set(LongtaleSettings().models.use)


def test_refining_chooses_settings_on_the_validation_fold(
    settings: LongtaleSettings, rng: np.random.Generator
) -> None:
    dataset = generated(rng, 120, 60, 2400)
    fold = validation_fold(dataset, settings.split)
    vectors = rng.normal(size=(dataset.n_items, 8)).astype(np.float32)
    start = ModelsSettings(use=("item_knn", "ease"))
    poor = start.model_copy(update={"ease": start.ease.model_copy(update={"l2": 1e7})})
    better = refined(poor, fold, vectors, Cost())
    assert better.ease.l2 < 1e7
    assert better.user_knn == poor.user_knn
    models = start.model_copy(update={"refine": True})
    report = measure(dataset, "strict", settings.model_copy(update={"models": models}))
    assert "refine ease.l2_cpu_s" in report.cost


def test_data_with_nobody_to_choose_weights_by_give_everybody_those_of_newcomers(
    settings: LongtaleSettings, caplog: pytest.LogCaptureFixture
) -> None:
    hybrid = train(dataset_of([[0], [1]]), settings).hybrid
    weights = hybrid.blender.state()["weights"]
    assert hybrid.sources[int(weights.argmax())] == "semantic"
    assert weights.max() == np.float32(settings.blend.newcomer_meaning)
    assert "too few interactions to choose weights by" in caplog.text


@pytest.mark.parametrize("n_users", [0, 3])
def test_a_catalogue_that_nobody_has_touched_is_recommended_by_words(
    settings: LongtaleSettings, n_users: int
) -> None:
    dataset = dataset_of([[]] * n_users, titles=["red car", "blue boat", "green train"])
    recommender = train(dataset, settings)
    ids = recommender.dataset.items.ids.to_list()
    assert recommender.recommend(text="a blue boat", n=1).items[0].id == ids[1]
    assert len(recommender.recommend(n=9).items) == 3


def test_data_with_nothing_to_measure_by_are_refused(settings: LongtaleSettings) -> None:
    with pytest.raises(SplitError, match="nobody can be asked"):
        measure(dataset_of([[0], [1]]), "refit", settings)


def test_shuffled_titles_lose_what_meaning_gained(settings: LongtaleSettings) -> None:
    """The control of the evaluation: where words do not belong to the items, they cannot help."""
    rng = np.random.default_rng(5)
    dataset = generated(rng, 200, 100, 4000)
    frame = dataset.catalog.frame
    shuffled = frame.with_columns(
        frame[name].gather(rng.permutation(len(frame)).tolist()) for name in frame.columns
    )
    catalog = type(dataset.catalog)(dataset.items, shuffled, dataset.catalog.text_fields)
    spoiled = type(dataset)(**{**vars(dataset), "catalog": catalog})
    honest, control = (measure(d, "cold-items", settings) for d in (dataset, spoiled))
    assert control.find("semantic", "ndcg@10").high < honest.find("semantic", "ndcg@10").low


def test_the_bundled_films_are_read() -> None:
    assert read_movielens().n_users == 610
