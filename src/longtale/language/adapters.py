"""Few new weights that learn in place of the model's own (peft); needs torch and peft.

What can become part of the weights, or of the vocabulary, leaves a plain model (`merge_adapter`):
lora, ia3 and prompt. A prefix cannot: it stays beside its model in a folder of its own.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sentence_transformers import SentenceTransformer
from torch import nn

from longtale.errors import MissingExtraError, SettingsError
from longtale.language.model import transformer_of
from longtale.language.prompt import add_prompt_tokens
from longtale.language.settings import AdapterSettings

if TYPE_CHECKING:
    from peft import PeftConfig

_QUERY_VALUE = ("query", "value", "q_proj", "v_proj", "q_lin", "v_lin")
"""Names of the layers that make queries and values: BERT, decoders, DistilBERT."""
_PREFIXED = (
    "bert",
    "electra",
    "gemma3_text",
    "gpt2",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "roberta",
    "xlm-roberta",
)
"""Architectures that take states before the text as transformers 5.23 and peft 0.21 hand them over:
all that were tried; DeBERTa, DistilBERT, ModernBERT, MPNet and NomicBERT fail."""
_FIRST_POSITION = 2
"""Where RoBERTa begins to count; others begin at 0."""


def adapt(
    model: SentenceTransformer, settings: AdapterSettings, *, rng: np.random.Generator
) -> None:
    """Put an adapter of any kind into a model; from then on it alone learns.

    Prefix tuning (Li and Liang 2021, arXiv:2101.00190) learns n keys and values for each layer,
    prompt tuning n vectors before the text, see `longtale.language.prompt`.

    Args:
        model: changed in place; a prompt changes its tokenizer too.
        settings: which adapter; `none` changes nothing.
        rng: draws how a prompt begins.

    Raises:
        EncoderError: the model has no room for a prompt.
        MissingExtraError: peft is not installed.
        SettingsError: the model has none of the layers that are to be adapted.
    """
    if settings.kind == "prompt":
        _add_prompt(model, settings, rng)
    elif settings.kind == "prefix":
        _add_prefix(model, settings)
    else:
        add_adapter(transformer_of(model), settings)


def add_adapter(transformer: nn.Module, settings: AdapterSettings) -> None:
    """Put an adapter into a model's layers; from then on it alone learns.

    Args:
        transformer: a Hugging Face model, changed in place.
        settings: which adapter; `none` changes nothing.

    Raises:
        MissingExtraError: peft is not installed.
        SettingsError: the model has none of the layers that are to be adapted, or the adapter
            cannot become part of the weights, as that of an encoder must.
    """
    if settings.kind == "none":
        return
    model: Any = transformer
    model.add_adapter(_config(transformer, settings))


def merge_adapter(transformer: nn.Module) -> None:
    """Make the adapter part of the weights: a plain model stays, which answers the same."""
    for name, layer in list(transformer.named_modules()):
        if hasattr(layer, "get_base_layer") and hasattr(layer, "merge"):
            layer.merge()
            parent = transformer.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], layer.get_base_layer())
    model: Any = transformer
    model._hf_peft_config_loaded = False
    if hasattr(model, "peft_config"):
        del model.peft_config


def take_prefix(model: SentenceTransformer, folder: Path) -> None:
    """Write a model's prefix, and leave the model as it was before."""
    prefixed = model[0].model
    prefixed.save_pretrained(str(folder))
    model[0].model = prefixed.get_base_model()


def put_prefix(model: SentenceTransformer, folder: Path) -> None:
    """Read a prefix that `take_prefix` wrote, and put it before a model's layers.

    Raises:
        MissingExtraError: peft is not installed.
    """
    peft = _peft("a prefix")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks what transformers renamed
        model[0].model = peft.PeftModel.from_pretrained(transformer_of(model), str(folder)).eval()


def _add_prompt(
    model: SentenceTransformer, settings: AdapterSettings, rng: np.random.Generator
) -> None:
    peft = _peft("an adapter")
    tokens = add_prompt_tokens(model, settings.n_tokens, rng)
    transformer: Any = transformer_of(model)
    vectors = transformer.get_input_embeddings()
    name = next(name for name, module in transformer.named_modules() if module is vectors)
    transformer.add_adapter(
        peft.TrainableTokensConfig(token_indices=list(tokens), target_modules=[name])
    )


def _add_prefix(model: SentenceTransformer, settings: AdapterSettings) -> None:
    peft = _peft("an adapter")
    transformer: Any = transformer_of(model)
    architecture = transformer.config.model_type
    if architecture not in _PREFIXED:
        raise SettingsError(
            f"adapter.kind = 'prefix': the layers of a model of the kind '{architecture}' take "
            f"nothing before the text; those of {', '.join(_PREFIXED)} do: take prompt or lora"
        )
    config = peft.PrefixTuningConfig(
        task_type=peft.TaskType.FEATURE_EXTRACTION, num_virtual_tokens=settings.n_tokens
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks what transformers renamed
        model[0].model = peft.get_peft_model(transformer, config)
    del model[0].model.word_embeddings  # of no use to a prefix, and no checkpoint takes it twice
    # The text's positions begin behind the prefix.
    room = transformer.config.max_position_embeddings - settings.n_tokens - _FIRST_POSITION
    longest = model.max_seq_length
    model.max_seq_length = room if longest is None else min(longest, room)


def _config(transformer: nn.Module, settings: AdapterSettings) -> PeftConfig:
    peft = _peft("an adapter")
    if settings.kind not in ("lora", "ia3"):
        raise SettingsError(
            f"an adapter of the kind '{settings.kind}' cannot become part of a model's weights; "
            "take lora or ia3 to make an encoder"
        )
    targets = _targets(transformer, settings)
    if settings.kind == "ia3":
        return peft.IA3Config(target_modules=targets, feedforward_modules=[])
    return peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
    )


def _targets(transformer: nn.Module, settings: AdapterSettings) -> list[str]:
    wanted = settings.targets if settings.targets else _QUERY_VALUE
    names = {
        name.rpartition(".")[2]
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear)
    }
    found = sorted(names.intersection(wanted))
    if not found:
        raise SettingsError(
            f"adapter.targets: the model has no layer named {', '.join(wanted)}; "
            f"it has {', '.join(sorted(names))}"
        )
    return found


def _peft(purpose: str) -> Any:
    try:
        import peft
    except ImportError:
        raise MissingExtraError("peft", extra="language", purpose=purpose) from None
    return peft
