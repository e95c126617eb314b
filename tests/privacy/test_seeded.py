from __future__ import annotations

from importlib.resources import files
from tomllib import loads

import numpy as np
import pytest

from longtale.privacy import check_digits
from longtale.privacy.kind import Kind
from longtale.privacy.seeded import seeded_texts


@pytest.mark.parametrize("part", ["develop", "judge"])
def test_the_same_seed_gives_the_same_texts(part):
    first, again, other = (
        seeded_texts(np.random.default_rng(seed), 52, part=part) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_every_kind_is_planted_in_turn(rng):
    texts = seeded_texts(rng, 2 * len(Kind))
    assert [text.planted[0].kind for text in texts] == [*Kind, *Kind]


def test_planted_places_hold_the_values(rng):
    for text in seeded_texts(rng, 20, kinds=[Kind.CARD]):
        digits = "".join(c for c in text.values[0] if c.isdigit())
        assert check_digits.luhn(digits)
        assert text.text.count(text.values[0]) == 1


@pytest.mark.parametrize("kind", Kind)
def test_the_judge_has_forms_and_sentences_of_its_own(kind):
    written = loads((files("longtale.privacy") / "seeded.toml").read_text("utf-8"))
    develop, judge = (written[part][kind] for part in ("develop", "judge"))
    bare = {"[]", "([])", "→ []", "[]."}
    assert not set(map(str, develop["forms"])) & set(map(str, judge["forms"]))
    assert not set(develop["sentences"]) & set(judge["sentences"]) - bare
