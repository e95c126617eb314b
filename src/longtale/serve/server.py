"""Listening: one process, or several that share a store; stops after what was begun is done."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType

import uvicorn
from threadpoolctl import threadpool_limits

from longtale import log
from longtale.errors import LongtaleError, ServiceError
from longtale.monitor.request_log import JsonLines
from longtale.monitor.workers import shared_metrics, worker_ended
from longtale.recommend.folder import verified
from longtale.recommend.project import Project
from longtale.serve.app import application
from longtale.serve.opening import open_service
from longtale.serve.protocol import GuardedProtocol
from longtale.serve.service import Service

GRACE_S = 20
"""Seconds in which what was begun may end after the service was told to stop."""
_BACKLOG = 2048
_LOOK_EVERY_S = 0.1
_REST_S = 1.0  # before a worker that ended is replaced: it may end at once again
_SWITCH_S = 0.001  # the loop waits so long, not 5 ms, for a thread that is at work on a list


class _Server(uvicorn.Server):
    """Lets nothing new in from the moment it is told to stop."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second Ctrl-C waits for nothing.

        The signal is not raised again afterwards, as uvicorn would: to be told to stop is no fault.
        """
        self._service.gate.drain()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def listening(project: Project) -> socket.socket:
    """Give a socket at the address of the settings.

    Raises:
        OSError: the address is in use, or is none of this machine's.
    """
    serve = project.settings.serve
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((serve.host, serve.port))
    except OSError as error:
        listener.close()
        error.filename = f"{serve.host}:{serve.port}"
        raise
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket) -> str:
    """Give the address at which a socket listens, as a URL."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(project: Project, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C).

    Args:
        project: bundle and settings.
        listener: where to listen.
        on_ready: is called once the first process can answer.

    Raises:
        LongtaleError: the service cannot be opened.
    """
    if project.settings.serve.workers == 1:
        _work(project, listener, on_ready)
        return
    verified(project.bundle)  # what is wrong is told once, not by every process
    with shared_metrics() as metrics:
        _Workers(project, listener, metrics).run(on_ready)


class _Workers:
    """As many processes at work as were asked for, until told to stop.

    Args:
        project: bundle and settings.
        listener: where all of them listen.
        metrics: folder that they share.
    """

    def __init__(self, project: Project, listener: socket.socket, metrics: Path) -> None:
        self._given = (project, listener)
        self._metrics = metrics
        self._spawn = multiprocessing.get_context("spawn")
        self._is_ready = self._spawn.Event()
        self._is_stopping = False

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start them, replace those that end, and end all in the end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        workers = [self._started() for _ in range(self._given[0].settings.serve.workers)]
        is_told = False
        try:
            while not self._is_stopping:
                time.sleep(_LOOK_EVERY_S)
                if not is_told and self._is_ready.is_set():
                    on_ready()
                    is_told = True
                for place, worker in enumerate(workers):
                    if not worker.is_alive() and not self._is_stopping:
                        workers[place] = self._instead_of(worker)
        finally:
            _end(workers)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _started(self) -> BaseProcess:
        worker = self._spawn.Process(target=_worker, args=(*self._given, self._is_ready))
        worker.start()
        return worker

    def _instead_of(self, ended: BaseProcess) -> BaseProcess:
        worker_ended(self._metrics, ended.pid or 0)
        if not self._is_ready.is_set():
            error = ServiceError("the first process could not start; the log above says why")
            error.exit_code = max(ended.exitcode or 0, 1)
            raise error
        log.warn("a worker ended and is replaced", exit_code=ended.exitcode)
        time.sleep(_REST_S)
        return self._started()


def _end(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE_S + 5)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _worker(project: Project, listener: socket.socket, is_ready: Event) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work(project, listener, is_ready.set)
    except LongtaleError as error:
        log.warn("a worker could not start", reason=str(error))
        sys.exit(error.exit_code)


def _end_with_parent() -> None:
    """Stop when the process that started this one is gone: nobody else would stop it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _work(project: Project, listener: socket.socket, on_ready: Callable[[], object]) -> None:
    _log_as_json()
    sys.setswitchinterval(_SWITCH_S)
    threadpool_limits(1)  # one list at a time: further cores take further processes
    service = open_service(project)
    config = uvicorn.Config(
        application(service),
        http=GuardedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        lifespan="on",
    )
    on_ready()
    _Server(config, service).run(sockets=[listener])


def _log_as_json() -> None:
    """Write what is logged from here on as one JSON object per line, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("longtale")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
