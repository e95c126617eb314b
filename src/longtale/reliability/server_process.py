"""A server in a process of its own, as `longtale serve` starts one; it can be killed.

Processes come from a fork server that has loaded the package, so that hundreds of starts do not
spend minutes in importing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import RLock

import httpx
from tqdm import tqdm  # type: ignore[import-untyped]

from longtale.recommend.project import Project
from longtale.reliability.running import START_S, asking
from longtale.serve.server import address_of, listening, serve

Flaw = Callable[[], AbstractContextManager[object]]
"""Breaks a part for as long as its context lasts; a function of a module, so that a process of its
own can be told which."""
LOG = "server.log"
_MB = 1024 * 1024
_END_S = 40.0


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own.

    Args:
        process: which.
        url: where it listens.
        client: asks it over HTTP.
        log: what it wrote to standard error.
    """

    process: BaseProcess
    url: str
    client: httpx.Client
    log: Path

    @property
    def pid(self) -> int:
        """The number of the process."""
        return int(self.process.pid or 0)

    def kill(self) -> None:
        """End it at once, as a failing machine would."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.join(_END_S)

    def memory_mb(self) -> float:
        """Give how much of its memory is in use.

        Raises:
            ProcessLookupError: it is gone.
        """
        pages = int(self._told("statm").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / _MB

    def cpu_s(self) -> float:
        """Give the CPU time that it has used; raises as `memory_mb` does."""
        # Fields 14 and 15 of proc(5), counted behind the name, which may hold anything.
        fields = self._told("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _told(self, file: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{file}").read_text()
        except FileNotFoundError:
            raise ProcessLookupError(f"process {self.pid} is gone") from None


@contextmanager
def server_process(project: Project, *, flaw: Flaw | None = None) -> Iterator[ServerProcess]:
    """Serve a project in a process of its own until the context ends, then stop it in order.

    Args:
        project: what is served.
        flaw: what is broken in it; None is nothing.
    """
    listener = listening(project)
    url = address_of(listener)
    log = project.folder / LOG
    process = started(_serve, project, listener, log, flaw)
    listener.close()  # so that nothing answers once the process is gone
    with asking(url) as client:
        try:
            client.get("/v1/health/ready", timeout=START_S).raise_for_status()
            yield ServerProcess(process, url, client, log)
        finally:
            process.terminate()
            process.join(_END_S)


def started(function: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a function in a process of its own, which ends with this one."""
    process = _context().Process(target=_begun, args=(function, *arguments), daemon=True)
    process.start()
    return process


def _begun(function: Callable[..., None], *arguments: object) -> None:
    tqdm.set_lock(RLock())  # its own is one of several processes, and stays behind after a kill
    function(*arguments)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _serve(
    project: Project,
    listener: socket.socket,
    log: Path,
    flaw: Flaw | None,
) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    with nullcontext() if flaw is None else flaw():
        serve(project, listener, on_ready=lambda: None)
