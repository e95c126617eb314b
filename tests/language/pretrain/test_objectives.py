"""Losses of pre-training against slow and obvious ones."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
import torch
from sentence_transformers import SentenceTransformer
from tests.language.tiny import WIDTH, tiny_encoder
from torch.nn import functional

from longtale.errors import EncoderError
from longtale.language.model import open_model, transformer_of
from longtale.language.pretrain.head import MaskedWordsHead, make_head, open_head, save_head
from longtale.language.pretrain.objectives import (
    Contrastive,
    Denoising,
    Features,
    MaskedWords,
    NextSentence,
)
from longtale.language.pretrain.vocabulary import Vocabulary

pytestmark = pytest.mark.torch
TEXTS = ["a film about the sea", "two brothers", "ships and storms at sea", "a story of the king"]
SECONDS = ["waves and salt", "a farm", "waves and salt", "a crown of gold"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"), [*TEXTS, *SECONDS])


@pytest.fixture
def model(folder: Path) -> SentenceTransformer:
    torch.manual_seed(0)
    return open_model(folder).eval()


def read(model: SentenceTransformer, texts: list[str]) -> Features:
    return model.preprocess(texts)


def head_of(model: SentenceTransformer, folder: Path) -> MaskedWordsHead:
    head = make_head(model, folder)
    with torch.no_grad():
        for weights in head.parameters():
            weights += torch.randn_like(weights)
    return head


def test_masked_words_are_told_from_hidden_places_alone(model, folder):
    head = head_of(model, folder)
    vocabulary = Vocabulary.of(model.tokenizer)
    features = read(model, TEXTS)
    found = MaskedWords(model, head, vocabulary=vocabulary, share=0.3)
    torch.manual_seed(5)
    loss = found([dict(features)])
    torch.manual_seed(5)
    ids = features["input_ids"]
    is_drawn = vocabulary.drawn(ids, features["attention_mask"], 0.3)
    hidden = vocabulary.masked(ids, is_drawn)
    states = transformer_of(model)(
        input_ids=hidden, attention_mask=features["attention_mask"]
    ).last_hidden_state
    words = transformer_of(model).get_input_embeddings().weight
    losses = []
    for row, place in is_drawn.nonzero().tolist():
        shaped = functional.gelu(head.dense.weight @ states[row, place] + head.dense.bias)
        logits = words @ head.norm(shaped) + head.bias
        losses.append(-logits.log_softmax(0)[ids[row, place]])
    assert len(losses) > len(TEXTS)
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_texts_of_which_nothing_can_be_hidden_cost_nothing(model, folder):
    vocabulary = Vocabulary.of(model.tokenizer)
    found = MaskedWords(model, make_head(model, folder), vocabulary=vocabulary, share=0.3)
    assert float(found([read(model, ["", ""])]).detach()) == 0


def test_a_pair_is_read_as_one_text_and_against_another_second_text(model):
    found = NextSentence(
        model, width=WIDTH, max_tokens=64, first_token=model.tokenizer.cls_token_id
    )
    columns = [read(model, TEXTS), read(model, SECONDS)]
    torch.manual_seed(3)
    logits, targets = found.answers(columns)
    torch.manual_seed(3)
    order = torch.randperm(len(TEXTS)).tolist()
    other = {here: order[(k + 1) % len(order)] for k, here in enumerate(order)}
    pairs = list(zip(TEXTS, SECONDS, strict=True))
    wrong = [(TEXTS[k], SECONDS[other[k]]) for k in other if SECONDS[other[k]] != SECONDS[k]]
    asked = [*pairs, *sorted(wrong, key=lambda pair: TEXTS.index(pair[0]))]
    together = model.tokenizer(
        [first for first, _ in asked],
        [second for _, second in asked],
        padding=True,
        return_tensors="pt",
    )
    vectors = model(dict(together))["sentence_embedding"]
    expected = found.head(vectors / vectors.norm(dim=1, keepdim=True) * WIDTH**0.5)
    torch.testing.assert_close(logits, expected)
    assert targets.tolist() == [1] * len(TEXTS) + [0] * len(wrong)
    torch.manual_seed(3)
    torch.testing.assert_close(found(columns), functional.cross_entropy(expected, targets))


def test_pairs_with_the_same_second_text_have_no_wrong_one(model):
    found = NextSentence(model, width=WIDTH, max_tokens=64, first_token=None)
    _, targets = found.answers([read(model, TEXTS), read(model, ["a crown"] * 4)])
    assert targets.tolist() == [1] * 4


def test_both_texts_of_a_pair_are_cut_at_half_and_keep_their_ends(model):
    seen = []
    model.tokenizer.model_input_names = ["input_ids", "attention_mask", "token_type_ids"]
    found = NextSentence(model, width=WIDTH, max_tokens=8, first_token=model.tokenizer.cls_token_id)
    model.register_forward_pre_hook(lambda _, inputs: seen.append(dict(inputs[0])))
    long, short = "a film about the sea", "a farm"
    found.answers([read(model, [long]), read(model, [f"{short} {long}"])])
    tokens = model.tokenizer.convert_ids_to_tokens(seen[0]["input_ids"][0].tolist())
    assert tokens == ["[CLS]", "a", "film", "[SEP]", "a", "farm", "a", "[SEP]"]
    assert seen[0]["token_type_ids"][0].tolist() == [0] * 4 + [1] * 4


def test_what_is_left_of_a_text_is_some_of_its_words_in_order(model):
    vocabulary = Vocabulary.of(model.tokenizer)
    found = Denoising(model, vocabulary=vocabulary, share=0.6)
    features = read(model, ["a film about the sea", "a farm", "two"])
    left = found.left_of(features)
    n_left = left["attention_mask"].sum(1)
    rows = [row[:n] for row, n in zip(left["input_ids"].tolist(), n_left.tolist(), strict=True)]
    texts = model.tokenizer.batch_decode(rows, skip_special_tokens=True)
    words = [text.split() for text in texts]
    assert [len(own) for own in words] == [2, 1, 1]
    for own, whole in zip(words, ["a film about the sea", "a farm", "two"], strict=True):
        places = [whole.split().index(word) for word in own]
        assert places == sorted(places)
    assert n_left.tolist() == [4, 3, 3]
    assert left["input_ids"].shape == (3, 4)
    assert {row[-1] for row in rows} == {model.tokenizer.sep_token_id}


def test_denoising_teaches_the_encoder_through_its_vector_alone(model):
    found = Denoising(model, vocabulary=Vocabulary.of(model.tokenizer), share=0.5)
    heard = []
    found.decoder.register_forward_pre_hook(
        lambda _, __, said: heard.append(said["encoder_hidden_states"]), with_kwargs=True
    )
    loss = found([read(model, TEXTS)])
    assert [tuple(each.shape) for each in heard] == [(len(TEXTS), 1, WIDTH)]
    loss.backward()
    assert float(loss.detach()) > 0
    assert transformer_of(model).encoder.layer[0].output.dense.weight.grad.abs().sum() > 0


def test_contrastive_knows_each_text_among_all_when_read_again(model):
    model.train()
    found = Contrastive(model, scale=20.0)
    torch.manual_seed(1)
    loss = found([read(model, TEXTS)])
    torch.manual_seed(1)
    once, again = (model(read(model, TEXTS))["sentence_embedding"] for _ in range(2))
    assert not torch.allclose(once, again)
    logits = 20 * torch.stack([torch.stack([a @ b for b in again]) for a in once])
    torch.testing.assert_close(loss, functional.cross_entropy(logits, torch.arange(len(TEXTS))))


def test_a_head_is_found_again_beside_its_model(model, folder, tmp_path):
    head = head_of(model, folder)
    save_head(head, tmp_path)
    states = torch.randn(5, WIDTH)
    torch.testing.assert_close(open_head(model, tmp_path)(states), head(states))


def test_a_published_model_brings_its_own_head(model, tmp_path):
    from transformers import BertForMaskedLM

    published = BertForMaskedLM(transformer_of(model).config)
    published.bert.load_state_dict(transformer_of(model).state_dict(), strict=False)
    published.save_pretrained(str(tmp_path))
    torch.nn.init.normal_(published.cls.predictions.bias)
    published.save_pretrained(str(tmp_path))
    states = torch.randn(5, WIDTH)
    torch.testing.assert_close(open_head(model, tmp_path)(states), published.cls(states))


def test_a_model_without_a_head_says_how_to_make_one(model, folder):
    with pytest.raises(EncoderError, match="has no head for them; make one by pre-training"):
        open_head(model, folder)
