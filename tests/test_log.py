from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from longtale import log


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="longtale")
    return caplog


def test_a_line_is_a_sentence_and_its_fields(lines):
    log.info("read events", rows=3, source="a b.csv")
    assert lines.messages == ["read events rows=3 source='a b.csv'"]


def test_a_warning_is_one(lines):
    log.warn("encoder fell back", engine="onnx")
    assert lines.records[0].levelno == logging.WARNING


def test_a_stage_is_logged_once_with_what_was_found_and_its_time(lines):
    with log.stage("read", path="x") as found:
        found["rows"] = 7
    assert len(lines.messages) == 1
    assert lines.messages[0].startswith("read path=x rows=7 seconds=")


def test_nothing_is_configured_on_import():
    code = "import logging, longtale.cli.main; print(logging.getLogger('longtale').handlers)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_percent_signs_are_shown_as_they_are(lines):
    log.info("done", share="100%s")
    assert lines.messages == ["done share=100%s"]
