"""Which encoder reads the catalogue: made from settings, or opened from a folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from longtale.contracts import TextEncoder
from longtale.encode.cache import CachedEncoder, default_cache_folder
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.encode.language_model import LanguageModelEncoder, LanguageModelSettings
from longtale.encode.onnx_text import OnnxTextEncoder
from longtale.encode.prompt import PromptSettings
from longtale.encode.saved import SavedHashed, read_saved
from longtale.encode.whiten import WhiteningSettings
from longtale.errors import EncoderError

HASHED = "hashed"


class EncoderSettings(LanguageModelSettings):
    """From a catalogue's rows to vectors."""

    model: str = Field(default="minilm", min_length=1)
    """`minilm` (packaged all-MiniLM-L6-v2), `hashed` (no model), a folder, or a hub name."""
    hashed_dim: int = Field(default=256, ge=8)
    """Vector width of `hashed`."""
    prompt: PromptSettings = PromptSettings()
    """What of an item's row is read."""
    whitening: WhiteningSettings = WhiteningSettings()
    """How the vectors are whitened."""
    cache: Path | None = None
    """Where vectors are kept; LONGTALE_CACHE or `~/.cache/longtale` if not given."""


def make_encoder(settings: EncoderSettings) -> TextEncoder:
    """Make the encoder that the settings name; what it encodes is kept on disk.

    Raises:
        EncoderError: the model is not there, was changed, or asks for what is not supported.
        MissingExtraError: the model needs the extra `text`.

    Example:
        >>> make_encoder(EncoderSettings(model="hashed")).dim
        256
    """
    if settings.model == HASHED:
        return HashedTextEncoder(dim=settings.hashed_dim)
    cache = default_cache_folder() if settings.cache is None else settings.cache.expanduser()
    encoder = LanguageModelEncoder.load(settings.model, cache, settings=settings)
    return CachedEncoder(encoder, cache)


def load_encoder(folder: Path) -> TextEncoder:
    """Open what an encoder's `save` wrote; needs no torch.

    Raises:
        EncoderError: the folder is no saved encoder, is not whole, or is of another version.
    """
    saved = read_saved(folder)
    if not isinstance(saved, SavedHashed):
        return OnnxTextEncoder.load(folder)
    encoder = HashedTextEncoder(dim=saved.dim)
    if encoder.fingerprint != saved.fingerprint:
        raise EncoderError(
            f"the encoder in '{folder}' was saved by another version of Longtale: its fingerprint "
            f"is {saved.fingerprint[:12]}, this version's {encoder.fingerprint[:12]}; train again"
        )
    return encoder
