"""A sentence-transformers or Hugging Face model, run by the fastest engine that is here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from tokenizers import Tokenizer

from longtale.arrays import Floats
from longtale.contracts import OnProgress, Purpose
from longtale.encode.engines import (
    Engine,
    EngineName,
    OnnxEngine,
    OpenVinoEngine,
    choose_engine,
    encode_texts,
    n_processors,
    narrowed_dim,
)
from longtale.encode.model_card import ModelCard, read_card
from longtale.encode.model_folder import PACKAGED_MODEL, PACKAGED_SHA256, find_model, weights_digest
from longtale.encode.saved import MODEL_FILE, TOKENIZER_FILE, SavedOnnx, write_saved
from longtale.encode.tokens import TokenReader, cutting, whole_words
from longtale.errors import EncoderError, MissingExtraError
from longtale.settings import Settings

_ENCODING_VERSION = 1  # grows when the same model gives other vectors


class LanguageModelSettings(Settings):
    """How a language model is run."""

    engine: Literal["auto", EngineName] = "auto"
    """What runs the model; `auto` takes what is fastest on this machine."""
    max_tokens: int | None = Field(default=None, ge=8)
    """Where texts are cut, at most what the model allows; its own length if not given."""
    dim: int | None = Field(default=None, ge=1)
    """How many leading numbers of each vector are kept; all if not given. Good for models that
    were trained for it (Matryoshka)."""
    batch_tokens: int = Field(default=512, ge=1)
    """Tokens in one batch on the processor; what fits into its caches is fastest."""
    query_prompt: str | None = None
    """What stands before a query, if not what the model's own configuration says."""
    passage_prompt: str | None = None
    """What stands before an item's text, if not what the model's own configuration says."""

    def changes(self, dim: int, longest: int | None) -> dict[str, Any]:
        """Give what these settings say otherwise than a model, by name; only what they say.

        Args:
            dim: width of the model's vectors.
            longest: where the model itself cuts texts; None where it takes any length.

        Raises:
            EncoderError: the model's vectors are narrower than is wanted.
        """
        most = self.max_tokens
        said = {
            "dim": None if self.dim is None else narrowed_dim(dim, self.dim),
            "max_tokens": most if most is None or longest is None else min(most, longest),
            "query_prompt": self.query_prompt,
            "passage_prompt": self.passage_prompt,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, eq=False)
class LanguageModelEncoder:
    """Texts to vectors by a language model; made by `load`.

    Args:
        card: what the model says of itself, as changed by the settings.
        weights: SHA-256 of the model's weights, and of each matrix behind them.
        cache: where the exported graph is kept for the next time.
        settings: how it is run.
    """

    card: ModelCard
    weights: str
    cache: Path
    settings: LanguageModelSettings

    @classmethod
    def load(
        cls, name: str, cache: Path, *, settings: LanguageModelSettings | None = None
    ) -> LanguageModelEncoder:
        """Find a model and check its weights; it is not loaded before the first text comes.

        Args:
            name: `minilm` (packaged), a folder, or a hub name.
            cache: where the exported graph is kept for the next time.
            settings: how it is run; the defaults if not given.

        Raises:
            EncoderError: it is not there, was changed, or asks for what is not supported.
            MissingExtraError: the extra `text` is not installed.
        """
        settings = LanguageModelSettings() if settings is None else settings
        folder = find_model(name)
        card = read_card(folder)
        card = replace(card, **settings.changes(card.dim, card.max_tokens))
        expected = PACKAGED_SHA256 if name == PACKAGED_MODEL else None
        weights = weights_digest(card.folder, expected=expected)
        if card.dense:
            weights = " ".join([weights, *(weights_digest(folder) for folder in card.dense)])
        return cls(card=card, weights=weights, cache=cache, settings=settings)

    @property
    def dim(self) -> int:
        return self.card.dim

    @cached_property
    def fingerprint(self) -> str:
        card = self.card
        content: list[object] = [
            _ENCODING_VERSION,
            self.weights,
            self._config,
            self._tokenizer.to_str(),
        ]
        content += [card.pooling, card.max_tokens, card.lowercase]
        content += [card.query_prompt, card.passage_prompt]
        content += [] if self.settings.dim is None else [card.dim]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        return encode_texts(
            self._reader,
            self._engine,
            texts,
            prompt=self.card.query_prompt if purpose == "query" else self.card.passage_prompt,
            dim=self.dim,
            on_progress=on_progress,
        )

    def words(self) -> frozenset[str]:
        return whole_words(self._tokenizer)

    def save(self, folder: Path) -> None:
        write_saved(folder, described(self.card, self.fingerprint))
        self._tokenizer.save(str(folder / TOKENIZER_FILE))
        shutil.copyfile(self._graph, folder / MODEL_FILE)

    @cached_property
    def _config(self) -> str:
        return (self.card.folder / "config.json").read_text(encoding="utf-8")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return cutting(tokenizer_in(self.card.folder), self.card.max_tokens)

    @cached_property
    def _reader(self) -> TokenReader:
        return TokenReader(
            tokenizer=self._tokenizer,
            max_tokens=self.card.max_tokens,
            pad_id=self.card.pad_id,
            batch_tokens=self.settings.batch_tokens,
            lowercase=self.card.lowercase,
        )

    @cached_property
    def _engine(self) -> Engine:
        name = choose_engine() if self.settings.engine == "auto" else self.settings.engine
        if name == "openvino":
            return OpenVinoEngine(self._graph, threads=n_processors())
        if name == "onnx":
            return OnnxEngine(self._graph, threads=n_processors())
        _require_torch()
        from longtale.encode.torch_model import TorchEngine

        return TorchEngine(self.card, bf16=name == "torch-bf16")

    @cached_property
    def _graph(self) -> Path:
        """Path of the ONNX graph, exported once for this model and pooling."""
        key = hashlib.sha256(
            json.dumps([_ENCODING_VERSION, self.weights, self.card.pooling, self._config]).encode()
        ).hexdigest()
        folder = self.cache / "graphs"
        path = folder / f"{key[:32]}.onnx"
        if not path.is_file():
            _require_torch()
            _export_whole(self.card, path)
        return path


def described(card: ModelCard, fingerprint: str, *, bits: Literal[8, 32] = 32) -> SavedOnnx:
    """Give what is written beside a model's graph."""
    return SavedOnnx(
        dim=card.dim,
        fingerprint=fingerprint,
        max_tokens=card.max_tokens,
        pad_id=card.pad_id,
        bits=bits,
        lowercase=card.lowercase,
        query_prompt=card.query_prompt,
        passage_prompt=card.passage_prompt,
    )


def _export_whole(card: ModelCard, path: Path) -> None:
    from longtale.encode.onnx_export import export_onnx

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
    except OSError as error:
        raise EncoderError(
            f"the cache folder '{path.parent}' cannot be written: {error}; "
            "name another one by LONGTALE_CACHE or the setting `cache`"
        ) from None
    try:
        export_onnx(card, Path(name))
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def tokenizer_in(folder: Path) -> Tokenizer:
    """Give the tokenizer of a model's folder.

    Raises:
        EncoderError: the model has none that works without transformers.
    """
    path = folder / "tokenizer.json"
    if path.is_file():
        return Tokenizer.from_file(str(path))
    _require_torch()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError(
            f"the model in '{folder}' has no fast tokenizer, which answering without torch needs; "
            "choose another model"
        )
    return Tokenizer.from_str(backend.to_str())


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            str(error.name), extra="text", purpose="encoding with a language model"
        ) from None
