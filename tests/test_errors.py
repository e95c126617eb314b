from __future__ import annotations

import inspect
import re

import pytest

from longtale import errors
from longtale.errors import LongtaleError, MissingExtraError, did_you_mean

CLASSES = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if issubclass(thing, LongtaleError)
]
DRAWN = dict(re.findall(r"── (\w+Error) +(\d)?", errors.__doc__ or ""))


@pytest.mark.parametrize("error", [c for c in CLASSES if c is not LongtaleError])
def test_every_error_stands_in_the_drawn_tree(error):
    assert error.__name__ in DRAWN
    if DRAWN[error.__name__]:
        assert error.exit_code == int(DRAWN[error.__name__])


def test_the_tree_draws_no_error_that_does_not_exist():
    assert set(DRAWN) <= {c.__name__ for c in CLASSES}


def test_a_missing_extra_names_the_command_that_installs_it():
    error = MissingExtraError("torch", extra="text", purpose="training an encoder")
    assert str(error).startswith("training an encoder needs the package 'torch'")
    assert str(error).endswith("pip install 'longtale[text]'")


def test_did_you_mean_offers_a_near_word():
    assert did_you_mean("clik", ["view", "click"]) == "; did you mean 'click'?"


def test_did_you_mean_is_silent_where_nothing_is_near():
    assert did_you_mean("zzz", ["view", "click"]) == ""
