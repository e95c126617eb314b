from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from longtale.errors import SettingsError
from longtale.settings import Settings, read_toml


class Inner(Settings):
    half_life_days: float = Field(default=30.0, gt=0)
    """How long."""
    label: str = ""


class Outer(Settings):
    seed: int = 0
    name: str = "x"
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = ()


def written(folder: Path, text: str) -> Path:
    path = folder / "longtale.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Outer().seed = 1


def test_a_field_docstring_is_its_help():
    assert Inner.model_fields["half_life_days"].description == "How long."


def test_an_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(SettingsError, match=r"unknown key 'sed'; allowed .*did you mean 'seed'"):
        Outer.parse({"sed": 1})


def test_an_unknown_key_of_a_section_is_named_with_its_section():
    expected = r"unknown key 'inner.half_life'; allowed are half_life_days, label; did you mean"
    with pytest.raises(SettingsError, match=expected):
        Outer.parse({"inner": {"half_life": 1}})


def test_an_unknown_key_within_a_list_is_explained():
    with pytest.raises(SettingsError, match=r"'parts.0.x'; allowed are half_life_days, label"):
        Outer.parse({"parts": [{"x": 1}]})


def test_a_value_out_of_range_is_shown():
    with pytest.raises(SettingsError, match=r"'inner.half_life_days' is -1: .*greater than 0"):
        Outer.parse({"inner": {"half_life_days": -1}})


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(SettingsError) as caught:  # noqa: PT011 - the length is what matters
        Outer.parse({"seed": "x" * 10_000})
    assert len(str(caught.value)) < 250


def test_a_file_is_read(tmp_path):
    path = written(tmp_path, "seed = 3\n[inner]\nhalf_life_days = 7\n")
    assert Outer.read(path, environment={}) == Outer(seed=3, inner=Inner(half_life_days=7))


def test_the_environment_overrides_the_file(tmp_path):
    path = written(tmp_path, "[inner]\nhalf_life_days = 7\n")
    environment = {
        "LONGTALE_INNER__HALF_LIFE_DAYS": "9",
        "LONGTALE_TEST_DATA": "x",
        "OTHER__A": "1",
    }
    assert Outer.read(path, environment=environment).inner.half_life_days == 9


def test_the_environment_may_hold_plain_text(tmp_path):
    environment = {"LONGTALE_INNER__LABEL": "slow burn"}
    assert Outer.read(written(tmp_path, ""), environment=environment).inner.label == "slow burn"


def test_the_environment_may_not_reach_into_a_value(tmp_path):
    path = written(tmp_path, "seed = 3\n")
    with pytest.raises(SettingsError, match="LONGTALE_SEED__X reaches into 'seed'"):
        Outer.read(path, environment={"LONGTALE_SEED__X": "1"})


def test_a_missing_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(SettingsError, match=r"no settings file at .* longtale init"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"seed = ", b"name = '\xff'"])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "longtale.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not valid TOML"):
        read_toml(path)


def test_a_password_in_a_url_stands_in_no_message():
    with pytest.raises(SettingsError, match=r"postgresql://me:\*\*\*@host/shop") as caught:
        Outer.parse({"seed": "postgresql://me:s3cr:@t@host/shop"})
    assert "s3cr" not in str(caught.value)
