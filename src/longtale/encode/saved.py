"""How an encoder lies in a folder: `encoder.json`, and the files that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from longtale.errors import EncoderError
from longtale.settings import Settings

RECORD_FILE = "encoder.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
VECTORS_FILE = "vectors.safetensors"


class SavedHashed(Settings):
    """A hashed-text encoder."""

    kind: Literal["hashed"] = "hashed"
    """Which encoder this is."""
    dim: int = Field(ge=1)
    """Vector width."""
    fingerprint: str
    """Hash of all that decides the vectors."""


class SavedOnnx(Settings):
    """A language model as ONNX graph and tokenizer."""

    kind: Literal["onnx"] = "onnx"
    """Which encoder this is."""
    dim: int = Field(ge=1)
    """Vector width."""
    fingerprint: str
    """Hash of all that decides the vectors."""
    max_tokens: int = Field(ge=1)
    """Where a text is cut."""
    pad_id: int = Field(ge=0)
    """Token that fills up short texts."""
    bits: Literal[8, 32] = 32
    """Of the graph's weights."""
    lowercase: bool = False
    """Whether the model reads lower case only."""
    query_prompt: str = ""
    """What stands before a query."""
    passage_prompt: str = ""
    """What stands before an item's text."""


class SavedStatic(Settings):
    """A vector for each token, and a tokenizer."""

    kind: Literal["static"] = "static"
    """Which encoder this is."""
    dim: int = Field(ge=1)
    """Vector width; the leading numbers, where the tokens' vectors have more."""
    fingerprint: str
    """Hash of all that decides the vectors."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Where a text is cut; nowhere if not given."""
    query_prompt: str = ""
    """What stands before a query."""
    passage_prompt: str = ""
    """What stands before an item's text."""


class SavedJoined(Settings):
    """Several encoders whose vectors stand side by side, each in a folder of its own."""

    kind: Literal["joined"] = "joined"
    """Which encoder this is."""
    parts: tuple[str, ...] = Field(min_length=2)
    """Their folders, in the order of their vectors."""


Saved = SavedHashed | SavedOnnx | SavedStatic | SavedJoined
_RECORD: TypeAdapter[Saved] = TypeAdapter(Annotated[Saved, Field(discriminator="kind")])


def write_saved(folder: Path, saved: Saved) -> None:
    """Write `encoder.json`, making the folder if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(saved.model_dump(), indent=2, ensure_ascii=False)
    (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def read_saved(folder: Path) -> Saved:
    """Read `encoder.json`.

    Raises:
        EncoderError: no such file, or one that this version does not understand.
    """
    path = folder / RECORD_FILE
    try:
        return _RECORD.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EncoderError(
            f"'{folder}' holds no saved encoder ({RECORD_FILE} is missing); "
            "give the folder that an encoder's save() wrote"
        ) from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise EncoderError(
            f"'{path}' cannot be used: {'.'.join(map(str, problem['loc']))}: {problem['msg']}; "
            "save the encoder again with this version of Longtale"
        ) from None
