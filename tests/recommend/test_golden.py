"""Golden numbers on the bundled films: a change that moves quality is seen, in either direction."""

from __future__ import annotations

import pytest

from longtale.evaluate.report import Report
from longtale.recommend.project import read_movielens
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.train import measure


@pytest.fixture(scope="module")
def report() -> Report:
    settings = LongtaleSettings.parse(
        {
            "encode": {"model": "hashed"},
            "models": {"use": ["popular", "item_knn", "ease", "semantic"]},
            "evaluate": {"metrics": ["ndcg", "recall"], "n_bootstrap": 0},
        }
    )
    return measure(read_movielens(), "refit", settings)


@pytest.mark.parametrize(
    ("model", "metric", "low", "high"),
    [
        ("popular", "ndcg@10", 0.0176, 0.0180),  # no choice but ties: nothing may move it
        ("item_knn", "ndcg@10", 0.054, 0.060),
        ("item_knn", "recall@10", 0.098, 0.109),
        ("ease", "ndcg@10", 0.058, 0.064),
        ("ease", "recall@10", 0.109, 0.121),
        ("blend", "ndcg@10", 0.065, 0.078),
    ],
)
def test_quality_on_the_bundled_films_stays_in_its_band(
    report: Report, model: str, metric: str, low: float, high: float
) -> None:
    assert low <= report.find(model, metric).value <= high
