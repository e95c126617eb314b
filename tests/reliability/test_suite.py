from __future__ import annotations

import json
import logging

import pytest

from longtale.cli.main import run
from longtale.errors import SettingsError
from longtale.reliability import suite
from longtale.reliability.guarantee import Guarantee, Mutant, Outcome, State
from longtale.reliability.promises import GUARANTEES, unchanged
from longtale.reliability.scale import QUICK
from longtale.reliability.suite import chosen_guarantees, run_suite


def made_up(name: str, *, is_kept: bool, finds: bool) -> Guarantee:
    """Give a guarantee whose trial says of the first and the second run what is said here."""
    outcomes = iter([Outcome({}, is_kept), Outcome({}, not finds)])
    return Guarantee(name, "p", "t", lambda bench: next(outcomes), Mutant("m", unchanged))


def test_names_choose_what_is_tried():
    assert [g.name for g in chosen_guarantees(["access", "kills"], [])] == ["kills", "access"]
    assert len(chosen_guarantees([], ["access"])) == len(GUARANTEES) - 1


@pytest.mark.parametrize("given", [(["acces"], []), ([], ["acces"])])
def test_an_unknown_name_is_refused_with_the_nearest(given):
    with pytest.raises(SettingsError, match="did you mean 'access'"):
        chosen_guarantees(*given)


def test_what_is_broken_on_purpose_is_not_logged_and_logging_goes_on_afterwards(caplog):
    logger = logging.getLogger("longtale")
    before = logger.level
    report = run_suite(QUICK, only=["ladder"])
    assert [verdict.state for verdict in report.verdicts] == [State.KEPT]
    assert not caplog.records
    assert logger.level == before


@pytest.mark.parametrize(
    ("is_kept", "finds", "code"), [(True, True, 0), (False, True, 1), (True, False, 1)]
)
def test_a_broken_promise_or_a_blind_trial_ends_with_1(
    monkeypatch, capsys, tmp_path, is_kept, finds, code
):
    made = made_up("one", is_kept=is_kept, finds=finds)
    monkeypatch.setattr(suite, "GUARANTEES", (made,))
    out = tmp_path / "deep" / "out"
    assert run(["reliability", "run", "--quick", "--out", str(out), "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["is_proven"] is (code == 0)
    assert json.loads((out / "report.json").read_text()) == told
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert (out / "report.md").read_text().startswith("# Reliability")


def test_people_see_names_states_and_figures(monkeypatch, capsys):
    monkeypatch.setattr(suite, "GUARANTEES", (made_up("one", is_kept=False, finds=False),))
    assert run(["reliability", "run", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert "broken" in shown
    assert "NOT CAUGHT" in shown


def test_the_guarantees_can_be_listed(capsys):
    assert run(["reliability", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["guarantees"]
    assert listed["access"] == "nobody does what their key does not allow"


def test_an_unknown_guarantee_is_a_wrong_argument(capsys):
    assert run(["reliability", "run", "--only", "nothing"]) == 2
    assert "there is no guarantee 'nothing'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_quick_run_proves_every_guarantee_whatever_the_speed():
    report = run_suite(QUICK)
    for verdict in report.verdicts:
        is_only_slow = verdict.slowness is None or verdict.slowness > 1
        assert verdict.state is not State.BROKEN or is_only_slow, verdict
        assert verdict.is_mutant_caught is not False, verdict
    assert len(report.verdicts) == len(GUARANTEES)
