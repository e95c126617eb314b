"""Settings of pre-training."""

from __future__ import annotations

import pytest

from longtale.errors import SettingsError
from longtale.language.pretrain.settings import Objective, PretrainSettings


def test_objectives_are_read_by_name():
    settings = PretrainSettings.parse({"objectives": ["contrastive", "denoising"]})
    assert settings.objectives == (Objective.CONTRASTIVE, Objective.DENOISING)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"objectives": []}, "at least 1 item"),
        ({"objectives": ["denoising", "denoising"]}, "name each objective once"),
        ({"objectives": ["masked"]}, "'masked_words', 'next_sentence'"),
        ({"scratch": {"width": 100}}, "multiple of 32"),
    ],
)
def test_what_cannot_be_learned_is_refused(values, message):
    with pytest.raises(SettingsError, match=message):
        PretrainSettings.parse(values)
