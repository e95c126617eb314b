"""What happens to texts outside."""

from __future__ import annotations

import numpy as np
import pytest

from longtale.errors import DataError
from longtale.language.adversarial.perturbations import (
    injected,
    reworded,
    spoilt,
    truncated,
    typos,
    usual_perturbations,
)

TEXT = "Stanley heavy staples. Stanley. Fasteners, Staples. Steel staples for insulation work"
TEXTS = [TEXT] * 200


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def n_changed(found: list[str]) -> int:
    pairs = [pair for text in found for pair in zip(text.split(), TEXT.split(), strict=True)]
    return sum(own != other for own, other in pairs)


@pytest.mark.parametrize("name", ["typos", "truncation", "paraphrase", "injection"])
def test_the_same_dice_spoil_the_same_way_and_never_empty_a_text(name: str) -> None:
    perturb = usual_perturbations(["Kreg screws", "Glue"])[name]
    texts = [*TEXTS, "a", "two words", ""]
    found = perturb(texts, rng())
    assert found == perturb(texts, rng())
    assert found != perturb(texts, rng(1))
    assert [bool(text) for text in found[:-1]] == [True] * (len(texts) - 1)


def test_typing_errors_hit_the_asked_share_of_long_words() -> None:
    n_long = 10 * len(TEXTS)  # without "for"
    assert n_changed(typos(TEXTS, rng(), rate=0.3)) / n_long == pytest.approx(0.3, abs=0.05)
    assert typos(TEXTS, rng(), rate=0.0) == TEXTS


def test_a_typing_error_keeps_the_first_letter_and_changes_one_place() -> None:
    for word in typos(["stainless"] * 300, rng(), rate=1.0):
        assert word.startswith("s")
        assert len(word) in (8, 9)
        assert sum(a != b for a, b in zip(word, "stainless", strict=False)) <= (
            2 if len(word) == 9 else 9
        )


def test_a_wrong_key_lies_beside_the_right_one() -> None:
    found = set(typos(["zzzz"] * 300, rng(), rate=1.0))
    signs = {sign for word in found for sign in word if sign != "z"}
    assert signs == {"a", "s", "x"}


def test_a_truncated_text_is_the_beginning_of_the_whole() -> None:
    found = truncated(TEXTS, rng(), least=0.2)
    assert all(TEXT.startswith(text) for text in found)
    lengths = np.array([len(text.split()) for text in found]) / len(TEXT.split())
    assert lengths.min() >= 0.15
    assert 0.4 < lengths.max() <= 0.55


def test_rewording_without_a_function_brings_no_new_words_and_changes_their_order() -> None:
    found = reworded(TEXTS, rng(), drop=0.2)
    words = [text.replace(".", "").replace(",", "").split() for text in found]
    own = TEXT.replace(".", "").replace(",", "").split()
    assert set().union(*words) <= set(own)
    assert np.mean([len(each) for each in words]) == pytest.approx(0.8 * len(own), rel=0.05)
    assert sum(each[0] != "Stanley" for each in words) > 50


def test_rewording_takes_the_words_of_the_function() -> None:
    assert reworded(["one"], rng(), paraphrase=lambda texts: [f"{t}!" for t in texts]) == ["one!"]


def test_a_function_that_loses_texts_is_refused() -> None:
    with pytest.raises(DataError, match="gave 1 texts for 2"):
        reworded(["one", "two"], rng(), paraphrase=lambda texts: list(texts)[:1])


def test_a_foreign_phrase_stands_behind_the_first_field() -> None:
    assert injected([TEXT], rng(), phrases=["Kreg screws."]) == [
        "Stanley heavy staples. Kreg screws. Stanley. Fasteners, Staples. "
        "Steel staples for insulation work"
    ]
    assert injected(["Glue"], rng(), phrases=["Kreg screws"]) == ["Glue. Kreg screws."]


def test_there_must_be_a_phrase_to_put_in() -> None:
    with pytest.raises(DataError, match="no phrases to put in"):
        injected(["Glue"], rng(), phrases=[])


def test_the_asked_share_of_the_training_texts_is_spoilt_in_all_ways() -> None:
    ways = {"one": lambda texts, _: ["1"] * len(texts), "two": lambda texts, _: ["2"] * len(texts)}
    found = spoilt(TEXTS, rng(), share=0.5, perturbations=ways)
    assert {text: found.count(text) for text in (TEXT, "1", "2")} == {
        TEXT: pytest.approx(100, abs=20),
        "1": pytest.approx(50, abs=20),
        "2": pytest.approx(50, abs=20),
    }
    assert spoilt(TEXTS, rng(), share=0.0, perturbations=ways) == TEXTS
