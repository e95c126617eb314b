"""The losses that settings name, for one model; needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers.utils import logging as transformers_logging

from longtale.errors import EncoderError
from longtale.language.model import transformer_of, without_bars
from longtale.language.pretrain.head import make_head
from longtale.language.pretrain.objectives import Contrastive, Denoising, MaskedWords, NextSentence
from longtale.language.pretrain.settings import Objective, PretrainSettings
from longtale.language.pretrain.vocabulary import Vocabulary


def make_losses(
    model: SentenceTransformer, folder: Path, settings: PretrainSettings
) -> nn.ModuleDict:
    """Give the losses by objective; new weights are drawn by torch's own dice.

    Args:
        model: what learns; for denoising its weights become those of a decoder as well.
        folder: the folder from which it was opened.
        settings: which objectives, and how hard they are.

    Raises:
        EncoderError: the model cannot learn an objective.
    """
    making: dict[Objective, Callable[[SentenceTransformer, Path, PretrainSettings], nn.Module]] = {
        Objective.MASKED_WORDS: _masked_words,
        Objective.NEXT_SENTENCE: _next_sentence,
        Objective.DENOISING: _denoising,
        Objective.CONTRASTIVE: _contrastive,
    }
    # Denoising first: it puts other weights into the places of the model's.
    ordered = sorted(settings.objectives, key=lambda name: name is not Objective.DENOISING)
    losses = {str(name): making[name](model, folder, settings) for name in ordered}
    return nn.ModuleDict({str(name): losses[name] for name in settings.objectives})


def _masked_words(
    model: SentenceTransformer, folder: Path, settings: PretrainSettings
) -> MaskedWords:
    vocabulary = Vocabulary.of(model.tokenizer, whole_words=settings.whole_words)
    if vocabulary.mask < 0 or _looks_back_only(transformer_of(model)):
        raise EncoderError(
            "the objective masked_words hides words that a model tells from both sides, but this "
            "one is a decoder, which reads from the left, or its tokenizer has no mask; choose "
            "contrastive or next_sentence, or an encoder such as minilm"
        )
    head = make_head(model, folder)
    return MaskedWords(model, head, vocabulary=vocabulary, share=settings.masked_share)


def _next_sentence(
    model: SentenceTransformer, folder: Path, settings: PretrainSettings
) -> NextSentence:
    tokenizer = model.tokenizer
    return NextSentence(
        model,
        width=int(model.get_embedding_dimension()),
        max_tokens=model.max_seq_length,
        first_token=tokenizer.cls_token_id,
    )


def _denoising(model: SentenceTransformer, folder: Path, settings: PretrainSettings) -> Denoising:
    vocabulary = Vocabulary.of(model.tokenizer)
    try:
        with without_bars(), _without_reports():
            loss = Denoising(model, vocabulary=vocabulary, share=settings.dropped_share)
    except (ValueError, OSError, KeyError) as error:
        raise EncoderError(_no_decoder(model, str(error).partition("\n")[0])) from error
    if not any("crossattention" in name for name, _ in loss.decoder.named_parameters()):
        raise EncoderError(_no_decoder(model, "no layer that would look at the vector"))
    return loss


@contextlib.contextmanager
def _without_reports() -> Iterator[None]:
    # That an encoder has no decoder's weights is no news.
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def _contrastive(
    model: SentenceTransformer, folder: Path, settings: PretrainSettings
) -> Contrastive:
    return Contrastive(model, scale=1 / settings.temperature)


def _looks_back_only(transformer: nn.Module) -> bool:
    return any(getattr(module, "is_causal", False) for module in transformer.modules())


def _no_decoder(model: SentenceTransformer, reason: str) -> str:
    kind = type(transformer_of(model)).__name__
    return (
        f"the objective denoising makes a decoder of the model's own weights, which a {kind} does "
        f"not allow ({reason}); choose another objective, or a model of the kind of BERT or RoBERTa"
    )
