"""Searching settings from the command line: what is shown, written and gone on with."""

from __future__ import annotations

import shlex
import sys

import pytest

from longtale.cli.settings_file import merged_toml
from longtale.cli.tuning import found_toml
from longtale.data.splits.split import ProtocolName
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.tune import Finding, Tuned
from longtale.settings import read_toml

POOR = """
[models.item_knn]  # neighbours
neighbours = 1  # by hand
b = 0.25
"""


@pytest.fixture
def few_trials(monkeypatch):
    """So few trials that time is no matter."""
    pytest.importorskip("optuna")
    pytest.importorskip("tomlkit")
    monkeypatch.setattr("longtale.recommend.study.MOST_TRIALS", 3)


@pytest.fixture
def poor_films(films, few_trials):
    """The films with a setting that is easily bettered."""
    with (films / "longtale.toml").open("a", encoding="utf-8") as file:
        file.write(POOR)
    return films


def tuned_by(**changed: object) -> Tuned:
    finding = Finding("cold_map", ProtocolName.COLD_ITEMS, 0.1, 0.2, 3, changed)
    other = Finding("ease", ProtocolName.REFIT, 0.1, 0.1, 3, {})
    return Tuned((finding, other), LongtaleSettings())


def test_tune_shows_and_keeps_what_it_found(poor_films, longtale):
    before = (poor_films / "longtale.toml").read_text(encoding="utf-8")
    ran = longtale("tune", "--minutes", "5", "--only", "item_knn", "--json")
    assert ran.code == 0, ran.out
    (found,) = ran.json["found"]
    assert found["name"] == "item_knn"
    assert found["judged_by"] == "refit"
    assert found["after"] > found["before"]
    assert found["n_trials"] == 12
    assert read_toml(poor_films / "tuned.toml") == {"models": {"item_knn": found["changed"]}}
    assert (poor_films / "longtale.toml").read_text(encoding="utf-8") == before
    assert not ran.json["written"]


def test_the_command_that_tune_names_writes_what_was_found(poor_films, longtale):
    before = (poor_films / "longtale.toml").read_text(encoding="utf-8")
    first = longtale("tune", ".", "--only", "item_knn", "--set", "bundle=other", "--json")
    program, *arguments = shlex.split(first.json["next"])
    assert program == "longtale"
    second = longtale(*arguments, "--json")
    assert second.code == 0, second.out
    assert second.json["found"] == first.json["found"]
    after = (poor_films / "longtale.toml").read_text(encoding="utf-8")
    assert "[models.item_knn]  # neighbours\n" in after
    assert "# by hand\n" in after
    section = read_toml(poor_films / "longtale.toml")["models"]["item_knn"]
    assert section == {"neighbours": 1, "b": 0.25, **first.json["found"][0]["changed"]}
    assert (poor_films / "longtale.toml.bak").read_text(encoding="utf-8") == before
    assert second.json["next"] == "longtale train . --set bundle=other"
    assert longtale("check").code == 0


def test_tune_draws_a_table_and_says_how_to_go_on(poor_films, longtale):
    ran = longtale("tune", "--only", "item_knn")
    assert ran.code == 0
    assert "nDCG@10 before" in ran.out
    assert "item_knn" in ran.out
    assert "use them: longtale tune --only item_knn --minutes 0 --write" in ran.out
    written = longtale("tune", "--only", "item_knn", "--write", "--minutes", "0").out
    assert "train with them: longtale train" in written
    assert "longtale.toml.bak" in written


def test_nothing_is_written_where_nothing_better_was_found(films, few_trials, longtale):
    (films / "longtale.toml.bak").unlink(missing_ok=True)
    ran = longtale("tune", "--minutes", "0", "--write", "--json")
    assert ran.code == 0
    assert ran.json["found"] == []
    assert ran.json["not_reached"] == ["item_knn", "ease", "semantic"]
    assert not (films / "tuned.toml").exists()
    assert not (films / "longtale.toml.bak").exists()
    assert "no time was left for item_knn" in longtale("tune", "--minutes", "0").out


def test_tune_begins_anew_where_it_is_asked_to(films, few_trials, longtale, monkeypatch):
    longtale("tune", "--only", "item_knn")
    monkeypatch.setattr("longtale.recommend.study.MOST_TRIALS", 1)
    on = longtale("tune", "--only", "item_knn", "--json").json["found"][0]["n_trials"]
    anew = longtale("tune", "--only", "item_knn", "--again", "--json").json["found"][0]["n_trials"]
    assert (on, anew) == (12, 4)


def test_a_stopped_search_says_so_and_keeps_what_it_found(films, few_trials, longtale, monkeypatch):
    from longtale.recommend import tune as module

    fit, calls = module.fit_retriever, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return fit(*given)

    monkeypatch.setattr(module, "fit_retriever", interrupted)
    ran = longtale("tune", "--only", "item_knn")
    assert ran.code == 0
    assert "stopped by hand" in ran.out
    assert (films / "tuned.toml").is_file()
    nothing = longtale("tune", "--only", "ease", "--json")
    assert nothing.code == 130
    assert nothing.json["error"]["message"] == "stopped"


def test_an_unknown_retriever_gets_advice(films, few_trials, longtale):
    ran = longtale("tune", "--only", "item_kn", "--json")
    assert ran.code == 2
    assert "did you mean 'item_knn'?" in ran.json["error"]["message"]


@pytest.mark.parametrize("package", ["optuna", "tomlkit"])
def test_a_missing_package_is_named_before_any_time_is_spent(films, longtale, monkeypatch, package):
    if package == "optuna":
        pytest.importorskip("tomlkit")
    monkeypatch.setitem(sys.modules, package, None)
    ran = longtale("tune", "--json")
    assert ran.code == 6
    assert f"'{package}'" in ran.json["error"]["message"]
    assert "pip install 'longtale[tune]'" in ran.json["error"]["message"]


def test_found_settings_are_sections_of_a_settings_file(tmp_path):
    pytest.importorskip("tomlkit")
    tuned = tuned_by(**{"teacher.factors": 64, "l2": 1.5, "trust": None})
    (tmp_path / "tuned.toml").write_text(found_toml(tuned), encoding="utf-8")
    values = read_toml(tmp_path / "tuned.toml")
    assert values == {"models": {"cold_map": {"l2": 1.5, "teacher": {"factors": 64}}}}
    assert "# trust = none" in found_toml(tuned)
    assert LongtaleSettings.parse(values).models.cold_map.teacher.factors == 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[models]\nuse = ['ease']  # one\n\n[models.ease]\nl2 = 3 # by hand\nnearness = 4\n",
        "[models]\nuse = ['ease']\n\n[models.ease]\nnearness = 4\n\n[split]\nseed = 1\n",
        "[models]\nease.l2 = 3\n\n[split]\nseed = 1 # dice\n",
        "[models]\nease = { l2 = 3, nearness = 2.0 }\n",
        "[models.als]\nfactors = 8\n[split]\nseed = 1\n",
        "bundle = 'b'\r\n[split]\r\nseed = 1\r\n",
    ],
)
def test_values_reach_every_form_of_a_settings_file(text, tmp_path):
    pytest.importorskip("tomlkit")
    changed = {
        "models.ease.l2": 7.5,
        "models.ease.nearness": None,
        "models.cold_map.teacher.factors": 64,
    }
    file = tmp_path / "longtale.toml"
    file.write_bytes(text.encode())
    before = LongtaleSettings.read(file, environment={})
    merged = merged_toml(text, changed)
    file.write_bytes(merged.encode())
    after = LongtaleSettings.read(file, environment={})
    assert after.models.ease.l2 == 7.5
    assert after.models.ease.nearness is None
    assert after.models.cold_map.teacher.factors == 64
    assert after.models.use == before.models.use
    assert (after.split, after.bundle) == (before.split, before.bundle)
    assert after.models.als == before.models.als
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert all(f"#{comment}" in merged for comment in comments)


def test_a_settings_file_that_cannot_be_changed_is_left_as_it_is(poor_films, longtale, monkeypatch):
    file = poor_films / "longtale.toml"
    before = file.read_bytes()
    for wrong in ("bundel = 'b'\n", before.decode()):
        monkeypatch.setattr("longtale.cli.settings_file.merged_toml", lambda *_, text=wrong: text)
        ran = longtale("tune", "--write", "--only", "item_knn", "--json")
        assert ran.code == 2
        assert "copy it by hand from 'tuned.toml'" in ran.json["error"]["message"]
        assert file.read_bytes() == before
        assert (poor_films / "tuned.toml").is_file()
