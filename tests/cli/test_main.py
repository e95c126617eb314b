"""What all commands share: help, version, errors, doctor, names that agree with the settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import get_args

import pytest

import longtale as package
from longtale.cli import main
from longtale.cli.options import ProtocolChoice, QualityName
from longtale.cli.progress import showing_progress
from longtale.cli.render import safe
from longtale.cli.settings import complete_setting
from longtale.data.splits.split import ProtocolName
from longtale.recommend.cost import NoProgress
from longtale.recommend.settings import Quality


def test_nothing_shows_the_help(longtale):
    ran = longtale()
    assert ran.code == 0
    assert "recommend" in ran.out


def test_version_is_the_package_version(longtale):
    assert longtale("--version").out == f"longtale {package.__version__}\n"


def test_an_unknown_command_gets_advice(longtale):
    ran = longtale("recomend")
    assert ran.code == 2
    assert "recommend" in ran.err


def test_choices_are_those_of_the_settings():
    assert get_args(ProtocolChoice) == tuple(ProtocolName)
    assert get_args(QualityName) == tuple(Quality)


def test_an_unexpected_error_is_short_and_says_where_to_look(longtale, monkeypatch):
    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(main, "app", fail)
    ran = longtale("check")
    assert ran.code == 1
    assert "unexpected RuntimeError: the sky fell" in ran.err
    assert "--debug" in ran.err
    assert "Traceback" not in ran.err


def test_a_file_that_cannot_be_written_is_no_fault_of_longtale(longtale, films):
    ran = longtale("evaluate", "--plots", "items.csv", "--set", "evaluate.n_bootstrap=0")
    assert ran.code == 3
    assert "'items.csv' cannot be used: File exists" in ran.err


@pytest.mark.parametrize("by_variable", [True, False])
def test_debug_lets_an_unexpected_error_through(monkeypatch, by_variable):
    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setenv("LONGTALE_DEBUG", "1" if by_variable else "0")
    with pytest.raises(RuntimeError, match="the sky fell"):
        main.run(["check"] if by_variable else ["check", "--debug"])


def test_stopping_by_hand_exits_with_130(longtale, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("longtale.cli.reference.described", stop)
    ran = longtale("settings", "--json")
    assert ran.code == 130
    assert ran.json["error"]["message"] == "stopped"


def test_progress_is_silent_in_a_pipe(longtale):
    with showing_progress() as progress:
        assert isinstance(progress, NoProgress)


def test_verbose_logs_stages_to_standard_error(films, longtale):
    ran = longtale("check", "--verbose", "--json")
    assert "read data" in ran.err
    assert json.loads(ran.out)
    assert "read data" not in longtale("check").err


def test_text_from_the_data_cannot_steer_the_terminal():
    assert safe("a\x1b]0;owned\x07\nb\u202ec") == "a\ufffd]0;owned\ufffd b\ufffdc"


def test_settings_lists_a_section(longtale):
    ran = longtale("settings", "models.ease", "--json")
    settings = {each["key"]: each for each in ran.json["settings"]}
    assert settings["models.ease.l2"]["type"] == "number above 0"
    assert all(each["help"] for each in settings.values())


def test_an_unknown_section_gets_advice(longtale):
    ran = longtale("settings", "modls")
    assert ran.code == 2
    assert "did you mean 'models'?" in ran.err


def test_the_shell_completes_settings_with_their_help():
    completed = dict(complete_setting("models.ease."))
    assert "regularisation" in completed["models.ease.l2="]


def test_the_shell_completes_commands():
    environment = {
        **os.environ,
        "_LONGTALE_COMPLETE": "complete_bash",
        "COMP_WORDS": "longtale rec",
        "COMP_CWORD": "1",
    }
    code = "from longtale.cli.main import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.stdout.split() == ["recommend"], ran.stderr


def test_doctor_is_content_with_a_sound_project(films, longtale):
    ran = longtale("doctor", "--json")
    found = {finding["what"]: finding for finding in ran.json["findings"]}
    assert ran.code == 0, ran.out
    assert found["bundle"]["state"] == "well"
    assert found["cache"]["state"] == "well"
    assert "all that is needed is here" in longtale("doctor").out


def test_doctor_fails_where_the_bundle_is_broken(films, longtale):
    (films / "bundle" / "stray").write_text("x", encoding="utf-8")
    ran = longtale("doctor", "--json")
    assert ran.code == 1
    assert not ran.json["ok"]


def test_doctor_needs_no_project(tmp_path, monkeypatch, longtale):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGTALE_CACHE", str(tmp_path))
    found = {f["what"]: f for f in longtale("doctor", "--json").json["findings"]}
    assert found["settings"]["state"] == "missing"


def test_help_loads_no_tables_and_no_arrays():
    code = (
        "import sys; from longtale.cli.main import run; run(['--help']);"
        "sys.exit(', '.join({'numpy', 'polars', 'scipy', 'pydantic'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert ran.returncode == 0, ran.stderr
