"""The workshop of language models from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import TINY

from longtale.recommend.workshop.made import Made
from longtale.settings import read_toml

SHORT = ("--set", "language.finetune.head_steps=3")


@pytest.mark.torch
def test_finetune_says_what_it_brought_and_leaves_a_model_that_can_be_named(tiny_films, longtale):
    ran = longtale("finetune", "--json", *SHORT)
    assert ran.code == 0, ran.out + ran.err
    said = ran.json
    assert {change["slice"] for change in said["changes"]} == {"new items", "all items"}
    assert said["told"]["n_steps"] == 3
    assert said["verdict"].startswith("worth it" if said["worth_it"] else "not worth it")
    made = json.loads((tiny_films / "encoders/finetune/made.json").read_text(encoding="utf-8"))
    assert (made["job"], made["start"], made["protocol"]) == ("finetune", TINY, "refit")
    assert made["unmet"]
    assert not list((tiny_films / "encoders").glob("*.training"))
    assert not list((tiny_films / "encoders").glob("*.new"))
    trained = longtale("train", "--set", "encode.model=encoders/finetune", "--json")
    assert trained.code == 0, trained.err
    again = longtale("train", "--json")
    assert again.code == 0, again.out + again.err
    assert trained.json["version"] != again.json["version"]


@pytest.mark.torch
def test_a_model_is_put_into_the_settings_only_where_it_was_worth_it(
    tiny_films, longtale, monkeypatch
):
    pytest.importorskip("tomlkit")
    from longtale.recommend.workshop.verdict import Verdict

    for better in (False, True):
        monkeypatch.setattr(Verdict, "is_worth_it", better)
        ran = longtale("finetune", "--use", "--json", *SHORT)
        assert ran.code == 0, ran.out + ran.err
        model = read_toml(tiny_films / "longtale.toml")["encode"]["model"]
        assert model == ("encoders/finetune" if better else TINY)
        assert (ran.json["written"] is not None) is better
    assert "# ours" in (tiny_films / "longtale.toml").read_text(encoding="utf-8")


@pytest.mark.torch
def test_pretrain_reads_the_catalogue(tiny_films, longtale):
    ran = longtale(
        "pretrain",
        "--set",
        "language.pretrain.batch_size=8",
        "--set",
        "language.pretrain.max_steps=4",
        "--set",
        'language.pretrain.objectives=["masked_words", "next_sentence"]',
    )
    assert ran.code == 0, ran.out + ran.err
    assert "worth it: " in ran.out
    assert "longtale train --set encode.model=encoders/pretrain" in ran.out
    assert (tiny_films / "encoders/pretrain/modules.json").is_file()


@pytest.mark.torch
def test_what_a_tracker_drew_lies_beside_the_model(tiny_films, longtale):
    pytest.importorskip("tensorboard")
    few = ("--set", "language.distil.epochs=1", "--set", "language.distil.batch_size=4")
    ran = longtale("distil", *few, "--set", 'language.distil.track=["tensorboard"]')
    assert ran.code == 0, ran.out + ran.err
    assert list((tiny_films / "encoders/distil/runs").rglob("events.out.tfevents.*"))


@pytest.mark.torch
def test_a_tracker_that_is_not_installed_is_named(tiny_films, longtale, monkeypatch):
    monkeypatch.setattr("longtale.recommend.workshop.works.find_spec", lambda name: None)
    ran = longtale("finetune", "--set", 'language.finetune.track=["mlflow"]')
    assert ran.code == 2
    assert "pip install mlflow" in ran.err
    assert not (tiny_films / "encoders").exists()


@pytest.mark.torch
def test_distil_leaves_a_smaller_model(tiny_films, longtale):
    few = ("--set", "language.distil.epochs=1", "--set", "language.distil.batch_size=4")
    ran = longtale("distil", "--json", *few)
    assert ran.code == 0, ran.out + ran.err
    told = ran.json["told"]
    assert told["n_weights"] < told["n_weights_of_teacher"]
    assert "of nDCG@10 on new items is kept" in ran.json["verdict"]
    assert longtale("train", "--set", "encode.model=encoders/distil").code == 0
    made = tiny_films / "encoders/distil/made.json"
    assert json.loads(made.read_text(encoding="utf-8"))["unmet"] is None
    Made("finetune", "minilm", "refit", "f", {}, {}, ["3", "7"]).write(tiny_films / TINY)
    assert longtale("distil", *few).code == 0
    assert json.loads(made.read_text(encoding="utf-8"))["unmet"] == ["3", "7"]


@pytest.mark.torch
def test_compress_measures_variants_and_takes_the_fastest_good_one(
    tiny_films, longtale, monkeypatch
):
    pytest.importorskip("tomlkit")
    monkeypatch.setattr("longtale.recommend.workshop.verdict.KEPT", 0.0)
    sizes = ("layers=[1]", "n_sample=4", "n_measured=4", "n_rounds=1")
    few = [part for size in sizes for part in ("--set", f"language.compress.{size}")]
    ran = longtale("compress", "--use", "--json", *few)
    assert ran.code == 0, ran.out + ran.err
    variants = {each["name"]: each for each in ran.json["variants"]}
    assert "8 bits" in variants
    assert all(Path(each["folder"], "made.json").is_file() for each in variants.values())
    best = max(variants.values(), key=lambda each: each["speed"])
    assert read_toml(tiny_films / "longtale.toml")["encode"]["model"] == best["folder"]
    shown = longtale("compress", "--set", f"encode.model={TINY}", *few)
    assert shown.code == 0, shown.err
    assert "8 bits" in shown.out


def test_without_a_language_model_there_is_nothing_to_make_better(films, longtale):
    pytest.importorskip("datasets")
    ran = longtale("finetune", "--json")
    assert ran.code == 2
    assert "encode.model = 'hashed' has nothing that could learn" in ran.json["error"]["message"]


def test_a_test_under_another_protocol_is_warned_of(tiny_films, longtale):
    Made("finetune", "minilm", "refit", "f", {}, {}).write(tiny_films / TINY)
    assert "may know answers" in longtale("evaluate", "-p", "strict", "--json").err
    assert "may know answers" not in longtale("evaluate", "-p", "refit", "--json").err


@pytest.mark.torch
def test_several_processes_train_together_and_one_of_them_tells(tiny_films):
    sizes = ("objective=histories", "batch_size=4", "max_steps=4")
    few = [part for size in sizes for part in ("--set", f"language.finetune.{size}")]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ran = subprocess.run(
        [*start, "-m", "longtale", "finetune", "--json", *few],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["told"]["n_steps"] == 4
    assert (tiny_films / "encoders/finetune/made.json").is_file()
    assert [path.name for path in (tiny_films / "encoders").iterdir()] == ["finetune"]
