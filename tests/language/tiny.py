"""Tiny language models that tests make and save themselves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    set_seed,
)

from longtale.language.model import open_model, save_model
from longtale.stages import Advance, Stages

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WIDTH, N_LAYERS, N_HEADS = 32, 2, 2


def tiny_encoder(folder: Path, texts: Sequence[str]) -> Path:
    """Write a BERT of two layers whose words are those of the texts, with mean pooling."""
    words = tiny_tokenizer(texts)
    set_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
    )
    plain = folder / "plain"
    BertModel(config).save_pretrained(str(plain))
    words.save_pretrained(str(plain))
    save_model(open_model(plain), folder / "encoder")
    return folder / "encoder"


def tiny_decoder(folder: Path, texts: Sequence[str]) -> Path:
    """Write a decoder of two layers as a plain Hugging Face folder."""
    words = tiny_tokenizer(texts)
    set_seed(0)
    config = Qwen3Config(
        vocab_size=len(words),
        hidden_size=WIDTH,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        num_key_value_heads=N_HEADS,
        head_dim=WIDTH // N_HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=3,
    )
    Qwen3ForCausalLM(config).save_pretrained(str(folder))
    words.save_pretrained(str(folder))
    return folder


def tiny_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer of the words of some texts."""
    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=list(_SPECIAL))
    words.train_from_iterator(texts, trainer)
    start, end = (words.token_to_id(name) for name in ("[CLS]", "[SEP]"))
    words.post_processor = processors.BertProcessing(("[SEP]", end), ("[CLS]", start))
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )


def telling(told: dict[str, list[int]]) -> Stages:
    """Write down what stages tell, by their name and total."""

    def stage(name: str, *, total: int | None) -> AbstractContextManager[Advance]:
        return nullcontext(told.setdefault(f"{name} of {total}", []).append)

    return stage
