"""Listening: one process, or several that share a store; stops after what was begun is done."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
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
from longtale.serve.handing import Desk, Inbox
from longtale.serve.opening import open_service
from longtale.serve.protocol import GuardedProtocol
from longtale.serve.service import Service

GRACE_S = 20
"""Seconds in which what was begun may end after the service was told to stop."""
_BACKLOG = 2048
_LOOK_EVERY_S = 0.1
_REST_S = 1.0  # before a worker that ended is replaced: it may end at once again
_SWITCH_S = 0.003  # the loop waits so long, not 5 ms, for a thread that is at work on a list


class _Server(uvicorn.Server):
    """Lets nothing new in from the moment it is told to stop.

    Args:
        config: of uvicorn.
        service: what answers.
        inbox: brings the connections of a worker; None where this process accepts them itself.
    """

    def __init__(self, config: uvicorn.Config, service: Service, inbox: Inbox | None) -> None:
        super().__init__(config)
        self._service = service
        self._inbox = inbox

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self._inbox is not None:
            self._inbox.open(self._protocol)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what was begun."""
        if self._inbox is not None:
            self._inbox.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """Give what speaks on a connection that was handed over, as uvicorn makes it itself."""
        protocol = GuardedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        if self._inbox is not None:
            protocol.on_end = self._inbox.tell_end
        return protocol

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
        _work(project, [listener], on_ready=on_ready)
        return
    verified(project.bundle)  # what is wrong is told once, not by every process
    with shared_metrics() as metrics:
        _Workers(project, listener, metrics).run(on_ready)


class _Workers:
    """As many processes at work as were asked for, until told to stop.

    Args:
        project: bundle and settings.
        listener: where they are asked.
        metrics: folder that they share.
    """

    def __init__(self, project: Project, listener: socket.socket, metrics: Path) -> None:
        self._project = project
        self._desk = Desk(listener)
        self._metrics = metrics
        self._spawn = multiprocessing.get_context("spawn")
        self._is_stopping = False

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start them, replace those that end, and end all in the end."""
        # Who starts this as a daemon must not forbid it children: they end with it.
        multiprocessing.current_process().daemon = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        workers = [self._started() for _ in range(self._project.settings.serve.workers)]
        is_told = False
        try:
            while not self._is_stopping:
                self._desk.attend(_LOOK_EVERY_S)
                if not is_told and self._desk.was_ready:
                    on_ready()
                    is_told = True
                for place, worker in enumerate(workers):
                    if not worker.is_alive() and not self._is_stopping:
                        workers[place] = self._instead_of(worker)
        finally:
            self._desk.close()
            _end(workers)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _started(self) -> BaseProcess:
        with self._desk.hire() as channel:
            worker = self._spawn.Process(target=_worker, args=(self._project, channel))
            worker.start()
        return worker

    def _instead_of(self, ended: BaseProcess) -> BaseProcess:
        worker_ended(self._metrics, ended.pid or 0)
        if not self._desk.was_ready:
            error = ServiceError("the first process could not start; the log above says why")
            error.exit_code = max(ended.exitcode or 0, 1)
            raise error
        log.warn("a worker ended and is replaced", exit_code=ended.exitcode)
        self._desk.attend(_REST_S)
        return self._started()


def _end(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE_S + 5)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _worker(project: Project, channel: socket.socket) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work(project, [], inbox=Inbox(channel))
    except LongtaleError as error:
        log.warn("a worker could not start", reason=str(error))
        sys.exit(error.exit_code)


def _end_with_parent() -> None:
    """Stop when the process that started this one is gone: nobody else would stop it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _work(
    project: Project,
    listeners: list[socket.socket],
    *,
    inbox: Inbox | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
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
    _Server(config, service, inbox).run(sockets=listeners)


def _log_as_json() -> None:
    """Write what is logged from here on as one JSON object per line, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("longtale")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
