"""The bundles that lie beside the active one, by version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longtale.recommend.folder import bundles_in, told


@dataclass(frozen=True)
class Registry:
    """Finds bundles: the one that `longtale train` writes, and those kept under other names.

    Args:
        active: the folder that the settings name.
        shelf: a folder whose subfolders are bundles too; it need not be there.
    """

    active: Path
    shelf: Path

    def folders(self) -> list[Path]:
        """Give the folders that look like bundles, the active one first."""
        return [folder for folder, _ in self._told()]

    def manifests(self) -> Mapping[str, tuple[Path, dict[str, Any]]]:
        """Give folder and manifest of each bundle by its version, unverified; faulty ones too."""
        found: dict[str, tuple[Path, dict[str, Any]]] = {}
        for folder, text in self._told():
            try:
                manifest = json.loads(text)
                found.setdefault(str(manifest["version"]), (folder, manifest))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def _told(self) -> Iterator[tuple[Path, bytes]]:
        """Give each folder with what its manifest says."""
        for folder in (self.active, *bundles_in(self.shelf)):
            with suppress(OSError):
                yield folder, told(folder)

    def find(self, version: str) -> Path | None:
        """Give the folder of a version; None where there is none."""
        entry = self.manifests().get(version)
        return None if entry is None else entry[0]
