"""Where trials are made: the scale, trained worlds, folders and servers of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longtale.recommend.project import Project
from longtale.recommend.settings import LongtaleSettings
from longtale.reliability.running import Running, running
from longtale.reliability.scale import QUICK, Scale
from longtale.reliability.server_process import Flaw, ServerProcess, server_process
from longtale.reliability.worlds import Worlds

STORE, BUNDLE = "events.db", "bundle"


@dataclass(frozen=True)
class Bench:
    """A place for trials.

    Args:
        scale: how much is tried.
        worlds: trained bundles.
        flaw: what is broken in every server process; None is nothing.
    """

    scale: Scale
    worlds: Worlds
    flaw: Flaw | None = None

    def broken_by(self, flaw: Flaw) -> Bench:
        """Give the same for a mutant, which need not be tried for long."""
        return replace(self, scale=QUICK if self.scale.is_large else self.scale, flaw=flaw)

    def room(self) -> Path:
        """Give an empty folder."""
        return Path(tempfile.mkdtemp(prefix="room-", dir=self.worlds.folder))

    def project(self, bundle: Path, folder: Path, **serve: Any) -> Project:
        """Give the project that serves a bundle and keeps its events in a folder.

        Args:
            bundle: what answers.
            folder: where its store and its own copy of the bundle lie.
            serve: changes in the section `serve`.
        """
        own = folder / BUNDLE
        if not own.exists():  # a service writes a bundle again when it forgets somebody
            shutil.copytree(bundle, own, copy_function=os.link)
        values: Mapping[str, Any] = {"port": 0, "store": f"sqlite:///{STORE}", **serve}
        return Project(LongtaleSettings.parse({"bundle": BUNDLE, "serve": values}), folder)

    def running(self, project: Project) -> AbstractContextManager[Running]:
        """Serve a project in this process, with all its parts at hand."""
        return running(project)

    def server(self, project: Project) -> AbstractContextManager[ServerProcess]:
        """Serve a project in a process of its own, as `longtale serve` does."""
        return server_process(project, flaw=self.flaw)
