"""A folder whose every byte is vouched for: written whole or not at all, refused when changed.

manifest.json      format, what the caller wants to keep, and size and SHA-256 of each part
manifest.sha256    the digest of manifest.json itself
...                the parts; nothing else may lie in the folder
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from longtale.errors import BundleCorruptError, BundleError, BundleFormatError

FORMAT = "longtale-bundle"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
"""Name of the file that vouches for all others."""
_SEAL = "manifest.sha256"


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write to; it takes the place of `folder` only when all went well.

    Raises:
        BundleError: something that is no bundle is in the way.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and not _is_empty(folder):
        raise BundleError(
            f"'{folder}' exists and is no bundle, so it is not overwritten; give another folder"
        )
    draft, retired = _beside(folder, "draft"), _beside(folder, "retired")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(retired, ignore_errors=True)
        if folder.exists():
            folder.rename(retired)
        draft.rename(folder)
        shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other threads and processes out, those who read as well as those who write.

    Where nothing can be written beside the folder, nobody needs to be kept out.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder, fcntl.LOCK_EX, "ab"):
        _mend(folder)
        for left in (_beside(folder, "draft"), _beside(folder, "retired")):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep those out who write, while others may read too."""
    with _locked(folder, fcntl.LOCK_SH, "ab" if (folder / MANIFEST).is_file() else "rb"):
        _mend(folder)
        yield


def told(folder: Path) -> bytes:
    """Give the manifest of a folder as it stands there, unverified.

    Raises:
        OSError: there is none.
    """
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError:  # the folder may be changing places just now
        with reading(folder):
            return (folder / MANIFEST).read_bytes()


def bundles_in(shelf: Path) -> list[Path]:
    """Give the folders that may be bundles in another folder, which need not be there.

    What is hidden is none, but for the one that stands aside while another takes its place.
    """
    names = (path.name for path in (shelf.iterdir() if shelf.is_dir() else ()))
    hidden = re.compile(r"\.(.+)\.retired|[^.].*", re.DOTALL)
    found = {match[1] or match[0] for name in names if (match := hidden.fullmatch(name))}
    return [shelf / name for name in sorted(found)]


@contextmanager
def _locked(folder: Path, operation: int, mode: Literal["ab", "rb"]) -> Iterator[None]:
    with ExitStack() as stack:
        with suppress(OSError):
            file = stack.enter_context(_beside(folder, "lock").open(mode))
            fcntl.flock(file, operation)
        yield


def _mend(folder: Path) -> None:
    """Put back what stood in the folder, where a writer was killed before its own did."""
    if not folder.exists():
        with suppress(FileNotFoundError):  # another reader was faster, or nothing stood there
            _beside(folder, "retired").rename(folder)


def _beside(folder: Path, role: str) -> Path:
    return folder.with_name(f".{folder.name}.{role}")


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest over all files that lie in the folder now."""
    parts = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {"format": FORMAT, "format_version": FORMAT_VERSION, **facts, "parts": parts}
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / _SEAL).write_text(hashlib.sha256(text.encode()).hexdigest(), encoding="utf-8")


def verified(folder: Path) -> dict[str, Any]:
    """Give the manifest of a folder after checking every byte in it.

    Raises:
        BundleFormatError: the folder is no bundle, or a newer Longtale wrote it.
        BundleCorruptError: a part is missing, was added or changed, or leaves the folder.
    """
    manifest = _manifest(folder)
    parts: dict[str, dict[str, Any]] = manifest["parts"]
    for name in (MANIFEST, _SEAL, *parts):
        _check_inside(folder, name)
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    missing = sorted(parts.keys() - found)
    added = sorted(found - parts.keys() - {MANIFEST, _SEAL})
    if missing or added:
        raise BundleCorruptError(
            f"bundle '{folder}' is not whole: missing {missing}, unexpected {added}; "
            "copy it again from where it was trained, or train again"
        )
    for name, facts in parts.items():
        path = folder / name
        if path.stat().st_size != facts["bytes"] or sha256(path) != facts["sha256"]:
            raise BundleCorruptError(
                f"part '{name}' of bundle '{folder}' was changed after it was written; "
                "copy the bundle again from where it was trained, or train again"
            )
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = (folder / MANIFEST).read_bytes()
        sealed = (folder / _SEAL).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise BundleFormatError(
            f"'{folder}' is no bundle: it lacks {MANIFEST} or {_SEAL}; "
            "make one with: longtale train"
        ) from None
    if hashlib.sha256(content).hexdigest().encode() != sealed:
        raise BundleCorruptError(
            f"{MANIFEST} of bundle '{folder}' was changed after it was written"
        )
    manifest = json.loads(content)
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise BundleFormatError(f"'{folder}' holds {found!r}, not a {FORMAT!r}")
    version = manifest["format_version"]
    if version > FORMAT_VERSION:
        raise BundleFormatError(
            f"bundle '{folder}' has format {version}, this Longtale reads up to {FORMAT_VERSION}; "
            "upgrade with: pip install -U longtale"
        )
    return manifest


def _check_inside(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in name
    links = any((folder / parent).is_symlink() for parent in [path, *path.parents])
    if leaves or links:
        raise BundleCorruptError(
            f"part '{name}' of bundle '{folder}' leaves the folder or is a link; do not use it"
        )


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
