"""The bundles that lie beside the active one, by version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longtale.recommend.folder import MANIFEST


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
        kept = sorted(self.shelf.iterdir()) if self.shelf.is_dir() else []
        return [folder for folder in (self.active, *kept) if (folder / MANIFEST).is_file()]

    def manifests(self) -> Mapping[str, tuple[Path, dict[str, Any]]]:
        """Give folder and manifest of each bundle by its version, unverified; faulty ones too."""
        found: dict[str, tuple[Path, dict[str, Any]]] = {}
        for folder in self.folders():
            try:
                manifest = json.loads((folder / MANIFEST).read_bytes())
                found.setdefault(str(manifest["version"]), (folder, manifest))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def find(self, version: str) -> Path | None:
        """Give the folder of a version; None where there is none."""
        entry = self.manifests().get(version)
        return None if entry is None else entry[0]
