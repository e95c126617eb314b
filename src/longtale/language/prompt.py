"""A learned prompt as words of its own: n new tokens before each text; needs torch and peft.

Prompt tuning (Lester et al. 2021, arXiv:2104.08691) learns n vectors that stand before the text
while the model stays as it is. As new tokens, which the tokenizer puts there and whose vectors
alone learn, they become part of a plain model that needs no peft to answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from longtale.errors import EncoderError

_ANY_WORD = "a"
"""Stands for a text where it is asked what is put around one."""


def add_prompt_tokens(
    model: SentenceTransformer, n_tokens: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Put n new tokens before each text that a model reads, and give their numbers.

    They begin as the vectors of words drawn from the vocabulary, as Lester et al. advise.

    Args:
        model: changed in place, its tokenizer too.
        n_tokens: how many.
        rng: draws the words.

    Raises:
        EncoderError: the model has no fast tokenizer, or no room for so many tokens.
    """
    tokenizer = model.tokenizer
    words: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if words is None:
        raise EncoderError(
            f"a prompt needs a fast tokenizer, but the model has a {type(tokenizer).__name__}; "
            "take lora instead"
        )
    longest = model.max_seq_length
    if longest is not None and n_tokens > longest // 2:
        raise EncoderError(
            f"adapter.n_tokens = {n_tokens} leaves too little of the {longest} tokens that the "
            f"model reads; take at most {longest // 2}"
        )
    names = [f"[PROMPT {place}]" for place in range(n_tokens)]
    tokenizer.add_tokens(names, special_tokens=True)
    words.post_processor = _with_prompt(words, names)
    model[0].processor = _as_it_is(tokenizer)
    numbers = tuple(int(number) for number in tokenizer.convert_tokens_to_ids(names))
    _add_vectors(model[0].model, numbers, rng)
    return numbers


def _add_vectors(transformer: Any, numbers: tuple[int, ...], rng: np.random.Generator) -> None:
    n_before = transformer.get_input_embeddings().num_embeddings
    if max(numbers) >= n_before:
        transformer.resize_token_embeddings(max(numbers) + 1, mean_resizing=False)
    vectors = transformer.get_input_embeddings().weight
    drawn = rng.integers(min(n_before, min(numbers)), size=len(numbers))
    with torch.no_grad():
        vectors[list(numbers)] = vectors[drawn.tolist()]


def _with_prompt(words: Tokenizer, names: list[str]) -> processors.TemplateProcessing:
    """Give what puts a prompt before everything that a tokenizer itself puts around texts."""
    single = words.encode(_ANY_WORD)
    pair = words.encode(_ANY_WORD, _ANY_WORD)
    around = {
        token for token, text in zip(pair.tokens, pair.sequence_ids, strict=True) if text is None
    }
    special = [(name, words.token_to_id(name)) for name in [*names, *sorted(around)]]
    return processors.TemplateProcessing(
        single=_template(single, names), pair=_template(pair, names), special_tokens=special
    )


def _template(example: Any, names: list[str]) -> list[str]:
    found, last = [f"{name}:0" for name in names], None
    for token, text, kind in zip(
        example.tokens, example.sequence_ids, example.type_ids, strict=True
    ):
        if text is None:
            found.append(f"{token}:{kind}")
        elif text != last:
            found.append(f"${'AB'[text]}:{kind}")
            last = text
    return found


def _as_it_is(tokenizer: Any) -> PreTrainedTokenizerFast:
    """Give a tokenizer of the general class: that of BERT forgets its template when it is read."""
    named = {
        name: value
        for name, value in tokenizer.special_tokens_map.items()
        if isinstance(value, str)
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=tokenizer.model_input_names,
        **named,
    )
