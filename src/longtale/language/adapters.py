"""Few new weights that learn in place of the model's own (peft); needs torch and peft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from longtale.errors import MissingExtraError, SettingsError
from longtale.language.settings import AdapterSettings

if TYPE_CHECKING:
    from peft import PeftConfig

_QUERY_VALUE = ("query", "value", "q_proj", "v_proj", "q_lin", "v_lin")
"""Names of the layers that make queries and values: BERT, decoders, DistilBERT."""


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


def _config(transformer: nn.Module, settings: AdapterSettings) -> PeftConfig:
    try:
        from peft import IA3Config, LoraConfig
    except ImportError:
        raise MissingExtraError("peft", extra="language", purpose="an adapter") from None
    if settings.kind not in ("lora", "ia3"):
        raise SettingsError(
            f"an adapter of the kind '{settings.kind}' cannot become part of a model's weights; "
            "take lora or ia3 to make an encoder"
        )
    targets = _targets(transformer, settings)
    if settings.kind == "ia3":
        return IA3Config(target_modules=targets, feedforward_modules=[])
    return LoraConfig(
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
