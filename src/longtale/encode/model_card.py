"""What a language model says of itself: pooling, length, the words before a query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from longtale.errors import EncoderError

Pooling = Literal["mean", "cls", "last"]

_POOLINGS: Mapping[str, Pooling] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
_OLD_POOLINGS = {  # the flags that stood for a mode before sentence-transformers 6
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_MODULES = ("Transformer", "Pooling", "Dense", "Normalize")
_PASSAGE_NAMES = ("document", "passage", "corpus")
_DIM_NAMES = ("hidden_size", "dim", "d_model", "n_embd", "out_features")
_UNBOUNDED = 100_000  # tokenizers without a limit say 10^30
_DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True)
class ModelCard:
    """How a model's token states become one vector, from the model's own files.

    Whether the model normalises is not asked: Longtale compares by cosine, so rows are always unit.

    Args:
        folder: where weights and tokenizer lie.
        dim: D.
        pad_id: token that fills up short texts.
        pooling: mean over tokens, the first token, or the last one.
        max_tokens: where a text is cut.
        lowercase: whether text is lowered before the tokenizer sees it.
        query_prompt: what stands before a query.
        passage_prompt: what stands before an item's text.
        dense: folders of the matrices that the pooled vector goes through, in this order.
    """

    folder: Path
    dim: int
    pad_id: int = 0
    pooling: Pooling = "mean"
    max_tokens: int = _DEFAULT_MAX_TOKENS
    lowercase: bool = False
    query_prompt: str = ""
    passage_prompt: str = ""
    dense: tuple[Path, ...] = ()


def read_card(folder: Path) -> ModelCard:
    """Read the card of a sentence-transformers folder, or of a plain one (mean, no prompts).

    Raises:
        EncoderError: the folder is no model, or asks for something that is not supported.
    """
    entries = _modules(folder)
    modules = dict(entries)
    dense = tuple(folder / path for name, path in entries if name == "Dense")
    weights = folder / modules.get("Transformer", "")
    if not (weights / "config.json").is_file():
        raise EncoderError(
            f"'{weights}' holds no language model (config.json is missing); give a folder or hub "
            "name of a sentence-transformers or Hugging Face model"
        )
    pooling: Pooling = "mean"
    if "Pooling" in modules:
        pooling = _pooling(folder / modules["Pooling"] / "config.json")
    own = _own_config(weights)
    config = _read(weights / "config.json")
    query, passage = read_prompts(folder)
    return ModelCard(
        folder=weights,
        dim=_dim(_read(dense[-1] / "config.json"), dense[-1]) if dense else _dim(config, weights),
        pad_id=0 if config.get("pad_token_id") is None else int(config["pad_token_id"]),
        pooling=pooling,
        max_tokens=_max_tokens(weights, own, config),
        lowercase=bool(own.get("do_lower_case", False)),
        query_prompt=query,
        passage_prompt=passage,
        dense=dense,
    )


def read_prompts(folder: Path) -> tuple[str, str]:
    """Read what stands before a query, and what before an item's text."""
    config = _read(folder / "config_sentence_transformers.json")
    prompts = cast(Mapping[str, str | None], config.get("prompts") or {})
    default = prompts.get(config.get("default_prompt_name") or "") or ""
    query = prompts.get("query", default)
    passage = next((prompts[name] for name in _PASSAGE_NAMES if name in prompts), default)
    return query or "", passage or ""


def _dim(config: Mapping[str, Any], folder: Path) -> int:
    found = next((config[name] for name in _DIM_NAMES if name in config), None)
    if found is None:
        raise EncoderError(
            f"'{folder}/config.json' does not say how wide the model is ({', '.join(_DIM_NAMES)}); "
            "choose another model"
        )
    return int(found)


def _modules(folder: Path) -> list[tuple[str, str]]:
    path = folder / "modules.json"
    if not path.is_file():
        return []
    modules = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        name = str(entry["type"]).rsplit(".", 1)[-1]
        if name not in _MODULES:
            raise EncoderError(
                f"the model in '{folder}' has a module '{name}'; supported are "
                f"{', '.join(_MODULES)}: choose another model"
            )
        modules.append((name, str(entry["path"])))
    return modules


def _pooling(path: Path) -> Pooling:
    config = _read(path)
    mode: Any = config.get("pooling_mode")
    if mode is None:
        mode = [name for flag, name in _OLD_POOLINGS.items() if config.get(flag)]
    modes = [mode] if isinstance(mode, str) else list(mode)
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise EncoderError(
            f"'{path}' asks for the pooling {modes}; supported is one of {', '.join(_POOLINGS)}: "
            "choose another model"
        )
    if not config.get("include_prompt", True):
        raise EncoderError(
            f"'{path}' leaves the prompt out of the pooling, which is not supported: "
            "choose another model"
        )
    return _POOLINGS[modes[0]]


def _own_config(folder: Path) -> Mapping[str, Any]:
    found = sorted(folder.glob("sentence_*_config.json"))
    return _read(found[0]) if found else {}


def _max_tokens(folder: Path, own: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    limits = [
        own.get("max_seq_length"),
        _read(folder / "tokenizer_config.json").get("model_max_length"),
        config.get("max_position_embeddings"),
    ]
    usable = [int(limit) for limit in limits if limit is not None and 0 < limit < _UNBOUNDED]
    return min(usable, default=_DEFAULT_MAX_TOKENS)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EncoderError(f"'{path}' is not valid JSON: {error}; get the model again") from None
    return cast(Mapping[str, Any], content)
