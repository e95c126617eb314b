"""Which encoder reads the catalogue: made from settings, or opened from a folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from longtale.contracts import TextEncoder
from longtale.encode.cache import CachedEncoder, default_cache_folder
from longtale.encode.hashed_text import HashedTextEncoder
from longtale.encode.joined import JoinedEncoder
from longtale.encode.language_model import LanguageModelEncoder, LanguageModelSettings
from longtale.encode.onnx_text import OnnxTextEncoder
from longtale.encode.prompt import PromptSettings
from longtale.encode.saved import RECORD_FILE, SavedJoined, SavedOnnx, SavedStatic, read_saved
from longtale.encode.static_text import StaticTextEncoder, is_static
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
    folder = Path(settings.model).expanduser()
    if is_static(folder):
        return StaticTextEncoder.open(folder, settings)
    cache = default_cache_folder() if settings.cache is None else settings.cache.expanduser()
    if (folder / RECORD_FILE).is_file():
        return _remembered(_adapted(load_encoder(folder), settings), cache)
    return CachedEncoder(LanguageModelEncoder.load(settings.model, cache, settings=settings), cache)


def load_encoder(folder: Path) -> TextEncoder:
    """Open what an encoder's `save` wrote; needs no torch.

    Raises:
        EncoderError: the folder is no saved encoder, is not whole, or is of another version.
    """
    saved = read_saved(folder)
    if isinstance(saved, SavedOnnx):
        return OnnxTextEncoder.load(folder)
    if isinstance(saved, SavedStatic):
        return StaticTextEncoder.load(folder)
    if isinstance(saved, SavedJoined):
        return JoinedEncoder(tuple(load_encoder(folder / part) for part in saved.parts))
    encoder = HashedTextEncoder(dim=saved.dim)
    if encoder.fingerprint != saved.fingerprint:
        raise EncoderError(
            f"the encoder in '{folder}' was saved by another version of Longtale: its fingerprint "
            f"is {saved.fingerprint[:12]}, this version's {encoder.fingerprint[:12]}; train again"
        )
    return encoder


def _adapted(encoder: TextEncoder, settings: LanguageModelSettings) -> TextEncoder:
    if isinstance(encoder, JoinedEncoder):
        return JoinedEncoder(tuple(_adapted(part, settings) for part in encoder.parts))
    if isinstance(encoder, OnnxTextEncoder | StaticTextEncoder):
        return encoder.adapted(settings)
    return encoder


def _remembered(encoder: TextEncoder, cache: Path) -> TextEncoder:
    """Keep what is dear to compute; a look-up in a table is cheaper than one on disk."""
    if isinstance(encoder, JoinedEncoder):
        return JoinedEncoder(tuple(_remembered(part, cache) for part in encoder.parts))
    return CachedEncoder(encoder, cache) if isinstance(encoder, OnnxTextEncoder) else encoder
