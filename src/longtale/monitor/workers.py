"""Metrics of several processes that listen at one address: whichever is asked answers for all.

prometheus_client keeps each process's numbers in files of one folder where the environment names
it before the package is first imported. So whoever starts the workers opens the folder, and each
worker finds it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_metrics() -> Iterator[Path]:
    """Open a folder in which the workers that are started meanwhile share their metrics.

    To be entered by the process that starts them, which serves nothing itself.
    """
    before = os.environ.get(FOLDER_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="longtale-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[FOLDER_VARIABLE]
            if before is not None:
                os.environ[FOLDER_VARIABLE] = before


def worker_ended(folder: Path, pid: int) -> None:
    """Leave out of what is scraped what a worker that is gone was doing; its counts remain."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
