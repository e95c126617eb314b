"""From files to figures: init, check, train, evaluate."""

from __future__ import annotations

import math

import pytest

from longtale.data.inference.infer import Inferred
from longtale.data.intake.mapping import DataSettings, EventSource
from longtale.settings import read_toml


def test_init_writes_settings_that_check_accepts(films, longtale):
    (films / "longtale.toml").unlink()
    ran = longtale("init", ".", "--json")
    assert ran.code == 0
    assert ran.json["data"]["events"]["user"] == "user"
    assert ran.json["next"] == "longtale check"
    assert read_toml(films / "longtale.toml")["data"]["items"]["title"] == "title"
    assert longtale("check").code == 0


def test_init_leaves_settings_that_are_there(films, longtale):
    before = (films / "longtale.toml").read_text(encoding="utf-8")
    ran = longtale("init", "--json")
    assert ran.code == 2
    assert "--force" in ran.json["error"]["message"]
    assert (films / "longtale.toml").read_text(encoding="utf-8") == before
    assert longtale("init", "--force").code == 0


def test_init_shows_no_password(monkeypatch, tmp_path, longtale):
    pytest.importorskip("sqlalchemy")
    url = "postgresql://me:s3cret@host/shop?sslpassword=s3cret2"
    events = EventSource(source=url, table="log", user="u", item="i")
    inferred = Inferred(DataSettings(events=events), ())
    monkeypatch.setattr("longtale.data.inference.infer.infer", lambda place: inferred)
    monkeypatch.chdir(tmp_path)
    for arguments in ((), ("--json",)):
        ran = longtale("init", url, "--force", *arguments)
        assert "s3cret" not in ran.out + ran.err
        assert "me:***@host" in ran.out
    assert "s3cret" in (tmp_path / "longtale.toml").read_text()


def test_init_refuses_an_empty_folder(films, longtale):
    (films / "empty").mkdir()
    assert longtale("init", "empty", "--json").json["error"]["type"] == "SourceError"


def test_check_says_that_all_is_well(films, longtale):
    ran = longtale("check")
    assert ran.code == 0
    assert "every row is well" in ran.out


def test_check_counts_bad_rows_and_says_how_to_mend_them(films, longtale):
    with (films / "events.csv").open("a", encoding="utf-8") as file:
        file.write("u3,i3,yesterday\n")
    ran = longtale("check", "--json")
    assert ran.code == 0
    events = next(table for table in ran.json["tables"] if table["table"] == "events")
    assert events["quarantined"] == 1
    assert events["reasons"][0]["hint"]
    assert "events: 1 row: " in longtale("check").out


def test_check_stops_where_too_many_rows_are_bad(films, longtale):
    with (films / "events.csv").open("a", encoding="utf-8") as file:
        file.write("u3,i3,yesterday\n" * 10)
    ran = longtale("check", "--json")
    assert ran.code == 3
    assert ran.json["error"]["type"] == "TooManyBadRowsError"


def test_train_says_how_far_each_source_is_trusted(films, longtale):
    ran = longtale("train", "--json")
    assert ran.code == 0
    assert math.isclose(sum(ran.json["weights"].values()), 1, rel_tol=1e-5)
    assert ran.json["users"] == 20
    assert "bundle" in longtale("train", "--quality", "fast").out


@pytest.mark.parametrize("protocol", ["refit", "strict", "time", "cold-items", "cold-users"])
def test_evaluate_gives_the_agreed_json(films, longtale, protocol):
    ran = longtale("evaluate", "--protocol", protocol, "--json")
    assert ran.code == 0, ran.out
    assert set(ran.json) == {"protocol", "results", "cost"}
    assert ran.json["protocol"]["name"] == protocol
    assert {result["model"] for result in ran.json["results"]} == {
        "blend",
        "popular",
        "item_knn",
        "ease",
        "semantic",
    }
    assert set(ran.json["results"][0]) == {"model", "slice", "metric", "value", "low", "high", "n"}
    assert "encode_cpu_s" in ran.json["cost"]


def test_evaluate_shows_slices_and_paired_tests(films, longtale):
    ran = longtale("evaluate", "--protocol", "strict")
    assert ran.code == 0
    assert "ndcg@10 by slice" in ran.out
    assert "blend against each part" in ran.out


def test_evaluate_writes_markdown(films, longtale):
    assert longtale("evaluate", "--markdown").out.startswith("**Protocol**")


def test_evaluate_writes_plots(films, longtale):
    pytest.importorskip("matplotlib")
    assert longtale("evaluate", "--plots", "pictures", "--json").code == 0
    assert {path.suffix for path in (films / "pictures").iterdir()} == {".png", ".svg"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("models.ease.halflife=5", "did you mean 'half_life'?"),
        ("modells.use=[]", "did you mean 'models'?"),
        ("models.ease.l2=-1", "greater than 0"),
        ("models.ease.l2", "KEY=VALUE"),
    ],
)
def test_a_wrong_change_is_refused_with_advice(films, longtale, change, message):
    ran = longtale("check", "--set", change, "--json")
    assert ran.code == 2
    assert message in ran.json["error"]["message"]


def test_a_change_arrives(films, longtale):
    ran = longtale("train", "--set", 'models.use=["popular"]', "--set", "bundle=other", "--json")
    assert ran.json["weights"] == {"popular": 1.0}
    assert (films / "other" / "manifest.json").is_file()


def test_a_typing_error_in_the_settings_file_is_named(films, longtale):
    with (films / "longtale.toml").open("a", encoding="utf-8") as file:
        file.write("\n[modles]\nuse = []\n")
    ran = longtale("train")
    assert ran.code == 2
    assert "did you mean 'models'?" in ran.err


def test_demo_leaves_a_project_to_go_on_with(tmp_path, monkeypatch, longtale):
    monkeypatch.chdir(tmp_path)
    changes = ("encode.model=hashed", 'models.use=["popular","semantic"]', "evaluate.n_bootstrap=0")
    ran = longtale("demo", *(part for c in changes for part in ("--set", c)), "--json")
    assert ran.code == 0, ran.out
    assert ran.json["evaluation"]["protocol"]["name"] == "time"
    assert set(ran.json["slates"]) == {"known_user", "untouched_item", "newcomer"}
    assert all(slate["items"] for slate in ran.json["slates"].values())
    after = longtale("recommend", "1", "--config", "longtale-demo", "-f", "year >= 2000", "--json")
    assert all(item["item"]["year"] >= 2000 for item in after.json["items"])


def test_demo_never_writes_over_a_project(films, longtale):
    before = (films / "longtale.toml").read_text(encoding="utf-8")
    ran = longtale("demo", "--folder", ".", "--json")
    assert ran.code == 2
    assert "--folder" in ran.json["error"]["message"]
    assert (films / "longtale.toml").read_text(encoding="utf-8") == before
