"""One step at a time: a worker that is let go, works, says what it spent, and waits again."""

from __future__ import annotations

import os
import sys
import time


class Turns:
    """Takes over standard output, so that nothing else can speak on it."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._wait()

    def over(self, *_: object) -> None:
        """Say the CPU seconds since the turn began, and wait for the next."""
        print(time.process_time() - self._start, file=self._out, flush=True)
        self._wait()

    def _wait(self) -> None:
        if not sys.stdin.readline():
            os._exit(0)  # enough steps were taken: nothing of the training is wanted
        self._start = time.process_time()
