"""Which words moved a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("captum")
import torch
from tests.language.tiny import WIDTH, tiny_decoder, tiny_encoder

from longtale.encode.whiten import Whitening, WhiteningSettings
from longtale.errors import DataError
from longtale.language.attribution import TextAttribution, WordShare, as_html, attribute
from longtale.language.model import open_model, transformer_of

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "a story of two brothers", "ships and storms, at sea"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = open_model(tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS))
    with torch.no_grad():  # or all texts are alike
        transformer_of(opened).get_input_embeddings().weight *= 20
    return opened.eval()


def towards(model: Any, text: str = "storms") -> np.ndarray:
    return np.asarray(model.encode(text))


def test_shares_sum_to_what_the_words_moved(model: Any) -> None:
    direction = 5 * towards(model)
    found = attribute(model, TEXTS[2], direction)
    vector = model.encode(TEXTS[2])
    assert found.score == pytest.approx(float(vector @ towards(model)), abs=1e-5)
    total = sum(share for _, share in found.words)
    assert total == pytest.approx(found.score - found.base, abs=0.02)
    assert abs(found.score - found.base) > 0.05
    assert found.missed == pytest.approx(found.score - found.base - total, abs=1e-6)


def test_parts_of_words_and_the_signs_at_them_are_one_word(model: Any) -> None:
    assert len(model.tokenizer.tokenize("shipstorm,")) > 2
    found = attribute(model, "Shipstorm, (about) the  sea.", towards(model))
    assert [word for word, _ in found.words] == ["Shipstorm,", "(about)", "the", "sea."]


def test_shares_are_the_integral_of_the_slope_on_the_way(model: Any) -> None:
    text, direction = "storms at sea", torch.tensor(towards(model, TEXTS[0]))
    tokenizer, words = model.tokenizer, transformer_of(model).get_input_embeddings()
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    empty = ids.clone()
    empty[0, 1:-1] = tokenizer.pad_token_id
    start, end = words(empty).detach(), words(ids).detach()
    sums = torch.zeros_like(start)
    n_steps = 200
    for step in range(n_steps):
        now = (start + (step + 0.5) / n_steps * (end - start)).requires_grad_()
        handle = words.register_forward_hook(lambda _, __, ___, now=now: now)
        told = model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        handle.remove()
        told["sentence_embedding"][0].dot(direction).backward()
        sums += now.grad / n_steps
    slow = ((end - start) * sums).sum(dim=-1)[0, 1:-1].numpy()
    found = attribute(model, text, direction.numpy())
    pieces = tokenizer.tokenize(text)
    assert len(pieces) == len(found.words) == 3
    np.testing.assert_allclose([share for _, share in found.words], slow, atol=0.005)


def test_what_a_vector_goes_through_is_explained_too(model: Any) -> None:
    vectors = model.encode(TEXTS, normalize_embeddings=True)
    turned = Whitening.fit(vectors, WhiteningSettings(dim=2, power=1.0))
    direction = turned.apply(model.encode(["storms"], normalize_embeddings=True))[0]
    found = attribute(model, TEXTS[2], direction, turned=turned)
    own = turned.apply(vectors)[2]
    assert found.score == pytest.approx(float(own @ direction), abs=1e-4)
    total = sum(share for _, share in found.words)
    assert total == pytest.approx(found.score - found.base, abs=0.02)
    with pytest.raises(DataError, match=r"expected \(2,\) and not 0"):
        attribute(model, TEXTS[2], towards(model), turned=turned)
    other = Whitening(turned.mean[:3], turned.projection[:3])
    with pytest.raises(DataError, match="3 are turned"):
        attribute(model, TEXTS[2], direction, turned=other)


def test_what_is_behind_the_cut_is_not_explained(tmp_path: Path) -> None:
    model = open_model(tiny_encoder(tmp_path, TEXTS), max_tokens=8)
    found = attribute(model, "sea " * 30, towards(model))
    assert len(found.words) == 6


def test_a_decoder_is_explained_too(tmp_path: Path) -> None:
    model = open_model(tiny_decoder(tmp_path, TEXTS)).eval()
    found = attribute(model, TEXTS[0], towards(model))
    assert [word for word, _ in found.words] == TEXTS[0].split()
    assert any(share for _, share in found.words)


def test_the_strongest_words_come_first_whichever_way_they_move() -> None:
    words = (WordShare("a", 0.1), WordShare("b", -0.4), WordShare("c", 0.2))
    found = TextAttribution(words, 0.3, 0.4, 0.0)
    assert [word for word, _ in found.strongest(2)] == ["b", "c"]


def test_the_picture_escapes_the_text_and_colours_by_sign_and_size() -> None:
    words = (WordShare("<b>", 0.4), WordShare("against", -0.2), WordShare("nothing", 0.0))
    picture = as_html(TextAttribution(words, 0.2, 0.0, 0.0))
    assert "<b>" not in picture
    assert '<span title="+0.400" style="background: rgba(0, 114, 178, 0.75)">&lt;b&gt;' in picture
    assert 'rgba(213, 94, 0, 0.38)">against' in picture
    assert '0.00)">nothing' in picture


def test_a_text_without_words_is_refused(model: Any) -> None:
    with pytest.raises(DataError, match="has no words"):
        attribute(model, "  ", towards(model))


@pytest.mark.parametrize(
    "direction", [np.ones(3, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)]
)
def test_a_direction_of_no_use_is_refused(model: Any, direction: np.ndarray) -> None:
    with pytest.raises(DataError, match=rf"expected \({WIDTH},\) and not 0"):
        attribute(model, TEXTS[0], direction)
