"""An encoder without layers: the mean of its tokens' vectors, looked up in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse
from tokenizers import Tokenizer

from longtale.arrays import Floats, unit_rows
from longtale.contracts import OnProgress, Purpose
from longtale.encode.language_model import LanguageModelSettings
from longtale.encode.model_card import read_prompts
from longtale.encode.saved import (
    TOKENIZER_FILE,
    VECTORS_FILE,
    SavedStatic,
    read_saved,
    write_saved,
)
from longtale.encode.tokens import plain_text, whole_words
from longtale.errors import EncoderError

_MODULE = "StaticEmbedding"
_WEIGHTS_FILE, _WEIGHTS = "model.safetensors", "embedding.weight"
_TABLE = "vectors"
_VERSION = 1  # grows when the same table gives other vectors
_MOST_TOKENS = 65_536
_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class StaticTextEncoder:
    """Looks up its tokens' vectors: v = unit(Σ_t E_t); order and context count for nothing.

    How much a token says is the length of its vector. A hundred times as fast as a language model,
    since nothing is multiplied; needs neither torch nor ONNX Runtime. Tables as they are made by
    `longtale distil` or model2vec (Tulkens and van Dongen 2024).

    Args:
        tokenizer: neither pads nor cuts.
        table: E, float32 (V, D) or wider, one row for each token.
        saved: width, length and prompts.
    """

    tokenizer: Tokenizer
    table: Floats
    saved: SavedStatic

    @classmethod
    def open(cls, folder: Path, settings: LanguageModelSettings) -> Self:
        """Open a folder of sentence-transformers that holds a table of vectors.

        Raises:
            EncoderError: the folder is not whole.
        """
        inner = folder / _path_of_module(folder)
        table = _array(inner / _WEIGHTS_FILE, _WEIGHTS).astype(np.float32)
        query, passage = read_prompts(folder)
        saved = SavedStatic(
            dim=table.shape[1], fingerprint="-", query_prompt=query, passage_prompt=passage
        )
        encoder = cls(_tokenizer(inner), table, saved)
        return replace(encoder, saved=_printed(encoder)).adapted(settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save` wrote.

        Raises:
            EncoderError: the folder holds no such encoder, or a part of it is missing.
        """
        saved = read_saved(folder)
        if not isinstance(saved, SavedStatic):
            raise EncoderError(
                f"'{folder}' holds an encoder of kind '{saved.kind}', not 'static'; "
                "open it with load_encoder"
            )
        return cls(_tokenizer(folder), _array(folder / VECTORS_FILE, _TABLE), saved)

    def adapted(self, settings: LanguageModelSettings) -> Self:
        """Give the same encoder with another width, length or other prompts."""
        own = self.saved
        changed = own.model_copy(update=settings.changes(own.dim, longest=None))
        if changed == own:
            return self
        encoder = replace(self, saved=changed)
        return replace(encoder, saved=_printed(encoder))

    @property
    def dim(self) -> int:
        return self.saved.dim

    @property
    def fingerprint(self) -> str:
        return self.saved.fingerprint

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        prompt = self.saved.query_prompt if purpose == "query" else self.saved.passage_prompt
        found = np.zeros((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            some = texts[start : start + _AT_ONCE]
            found[start : start + len(some)] = self._sums(some, prompt)
            if on_progress is not None:
                on_progress(len(some))
        return unit_rows(found)

    def words(self) -> frozenset[str]:
        return whole_words(self.tokenizer)

    def save(self, folder: Path) -> None:
        write_saved(folder, self.saved)
        self.tokenizer.save(str(folder / TOKENIZER_FILE))
        save_file({_TABLE: np.ascontiguousarray(self.table)}, folder / VECTORS_FILE)

    def _sums(self, texts: Sequence[str], prompt: str) -> Floats:
        most = self.saved.max_tokens
        plain = [plain_text(text, _MOST_TOKENS if most is None else most) for text in texts]
        encoded = self.tokenizer.encode_batch_fast(
            [prompt + text if text else "" for text in plain], add_special_tokens=False
        )
        tokens = [encoding.ids[:most] for encoding in encoded]
        ends = np.cumsum([0, *(len(ids) for ids in tokens)])
        flat = np.fromiter((token for ids in tokens for token in ids), np.int32, count=ends[-1])
        ones = np.ones(len(flat), dtype=np.float32)
        counts = sparse.csr_array((ones, flat, ends), shape=(len(texts), len(self.table)))
        sums: Floats = counts @ self._columns
        return sums

    @cached_property
    def _columns(self) -> Floats:
        return np.ascontiguousarray(self.table[:, : self.dim])


def is_static(folder: Path) -> bool:
    """Say whether a folder of sentence-transformers holds a table of vectors."""
    path = folder / "modules.json"
    return path.is_file() and f".{_MODULE}" in path.read_text(encoding="utf-8")


def _path_of_module(folder: Path) -> str:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    return next(str(m["path"]) for m in modules if str(m["type"]).endswith(f".{_MODULE}"))


def _printed(encoder: StaticTextEncoder) -> SavedStatic:
    """Give what is saved with the fingerprint of all that decides the vectors."""
    saved = encoder.saved
    content = [_VERSION, encoder.tokenizer.to_str(), saved.model_dump(exclude={"fingerprint"})]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(encoder.table).tobytes())
    return saved.model_copy(update={"fingerprint": digest.hexdigest()})


def _tokenizer(folder: Path) -> Tokenizer:
    path = folder / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception
        raise EncoderError(f"'{path}' is no tokenizer: {error}; make the encoder again") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _array(path: Path, name: str) -> Floats:
    try:
        found: Floats = load_file(path)[name]
    except (OSError, SafetensorError, KeyError) as error:
        raise EncoderError(
            f"'{path}' holds no vectors of tokens ({name}): {error}; make the encoder again"
        ) from None
    return found
