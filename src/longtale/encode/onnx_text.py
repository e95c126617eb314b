"""A language model that answers without torch: ONNX Runtime and a tokenizer file."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from tokenizers import Tokenizer

from longtale.arrays import Floats
from longtale.contracts import OnProgress, Purpose
from longtale.encode.engines import (
    Engine,
    OnnxEngine,
    OpenVinoEngine,
    choose_engine,
    encode_texts,
    n_processors,
)
from longtale.encode.language_model import LanguageModelSettings
from longtale.encode.saved import MODEL_FILE, TOKENIZER_FILE, SavedOnnx, read_saved, write_saved
from longtale.encode.tokens import TokenReader, cutting, whole_words
from longtale.errors import EncoderError

_BATCH_TOKENS = 512


@dataclass(frozen=True, eq=False)
class OnnxTextEncoder:
    """A saved language model; nothing is loaded before the first text comes.

    Args:
        folder: where graph and tokenizer lie.
        saved: what `encoder.json` says.
        engine: what runs the graph.
    """

    folder: Path
    saved: SavedOnnx
    engine: Literal["onnx", "openvino"] = "onnx"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save` wrote.

        Raises:
            EncoderError: the folder holds no language model, or a part of it is missing.
        """
        saved = read_saved(folder)
        if not isinstance(saved, SavedOnnx):
            raise EncoderError(
                f"'{folder}' holds an encoder of kind '{saved.kind}', not 'onnx'; "
                "open it with load_encoder"
            )
        missing = [n for n in (MODEL_FILE, TOKENIZER_FILE) if not (folder / n).is_file()]
        if missing:
            raise EncoderError(f"'{folder}' lacks {', '.join(missing)}; save the encoder again")
        return cls(folder=folder, saved=saved)

    def adapted(self, settings: LanguageModelSettings) -> Self:
        """Give the same encoder with another engine, width, length or other prompts.

        Raises:
            EncoderError: the settings ask for what a saved graph cannot give.
        """
        own = self.saved
        changed = own.model_copy(update=settings.changes(own.dim, own.max_tokens))
        if changed != own:
            changed = changed.model_copy(update={"fingerprint": _printed(changed)})
        return replace(self, saved=changed, engine=_engine_for(settings, own))

    @property
    def dim(self) -> int:
        return self.saved.dim

    @property
    def fingerprint(self) -> str:
        return self.saved.fingerprint

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        saved = self.saved
        return encode_texts(
            self._reader,
            self._engine,
            texts,
            prompt=saved.query_prompt if purpose == "query" else saved.passage_prompt,
            dim=saved.dim,
            on_progress=on_progress,
        )

    def words(self) -> frozenset[str]:
        return whole_words(self._reader.tokenizer)

    def save(self, folder: Path) -> None:
        write_saved(folder, self.saved)
        for name in (MODEL_FILE, TOKENIZER_FILE):
            if (folder / name).resolve() != (self.folder / name).resolve():
                shutil.copyfile(self.folder / name, folder / name)

    @cached_property
    def _reader(self) -> TokenReader:
        path = self.folder / TOKENIZER_FILE
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception
            raise EncoderError(
                f"'{path}' is no tokenizer: {error}; save the encoder again"
            ) from None
        return TokenReader(
            tokenizer=cutting(tokenizer, self.saved.max_tokens),
            max_tokens=self.saved.max_tokens,
            pad_id=self.saved.pad_id,
            batch_tokens=_BATCH_TOKENS,
            lowercase=self.saved.lowercase,
        )

    @cached_property
    def _engine(self) -> Engine:
        kind = OpenVinoEngine if self.engine == "openvino" else OnnxEngine
        return kind(self.folder / MODEL_FILE, threads=n_processors())


def _engine_for(settings: LanguageModelSettings, saved: SavedOnnx) -> Literal["onnx", "openvino"]:
    name = choose_engine() if settings.engine == "auto" else settings.engine
    if name in ("onnx", "openvino"):
        return "onnx" if saved.bits == 8 else name
    if settings.engine == "auto":
        return "onnx"
    raise EncoderError(
        f"engine = '{name}', but the encoder is a saved graph, which torch cannot run; "
        "take auto, onnx or openvino"
    )


def _printed(saved: SavedOnnx) -> str:
    return hashlib.sha256(saved.model_dump_json().encode()).hexdigest()
