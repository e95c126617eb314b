"""Answers kept on disk."""

from __future__ import annotations

import pytest

from longtale.errors import SourceError
from longtale.language.augment.answers import Answers


def test_an_answer_is_found_again_by_all_that_was_asked(tmp_path):
    path = tmp_path / "new" / "answers.jsonl"
    Answers(path).put("über\nzwei Zeilen", "model", "text")
    again = Answers(path)
    assert again.get("model", "text") == "über\nzwei Zeilen"
    assert again.get("model", "other") is None
    assert again.get("modelt", "ext") is None


def test_what_was_asked_stands_in_no_file(tmp_path):
    path = tmp_path / "answers.jsonl"
    Answers(path).put("answer", "a secret text")
    assert "secret" not in path.read_text()


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    path = tmp_path / "answers.jsonl"
    answers = Answers(path)
    answers.put("one", "1")
    answers.put("two", "2")
    path.write_text(path.read_text()[:-10])
    assert (Answers(path).get("1"), Answers(path).get("2")) == ("one", None)


def test_after_a_line_that_was_cut_off_new_answers_are_kept(tmp_path):
    path = tmp_path / "answers.jsonl"
    Answers(path).put("one", "1")
    path.write_text(path.read_text()[:-10])
    Answers(path).put("two", "2")
    assert Answers(path).get("2") == "two"


def test_without_a_file_answers_are_known_in_this_run():
    answers = Answers(None)
    answers.put("one", "1")
    assert answers.get("1") == "one"


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        Answers(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be kept in"):
        Answers(tmp_path / "file" / "answers").put("one", "1")
