"""Listening: one process, or several that share a store; stops after what was begun is done."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType

import uvicorn
from threadpoolctl import threadpool_limits

from longtale import log
from longtale.monitor.request_log import JsonLines
from longtale.recommend.project import Project
from longtale.serve.app import application
from longtale.serve.opening import open_service
from longtale.serve.service import Service

GRACE_S = 20
"""Seconds in which what was begun may end after the service was told to stop."""
_BACKLOG = 2048
_SWITCH_S = 0.001  # the loop waits so long, not 5 ms, for a thread that is at work on a list


class _Server(uvicorn.Server):
    """Lets nothing new in from the moment it is told to stop."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._service.gate.drain()
        super().handle_exit(sig, frame)


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
    """
    n_workers = project.settings.serve.workers
    if n_workers == 1:
        _work(project, listener, on_ready)
        return
    workers = multiprocessing.get_context("spawn")
    first = workers.Process(target=_work, args=(project, listener, on_ready))
    others = [workers.Process(target=_work, args=(project, listener)) for _ in range(n_workers - 1)]
    _watch([first, *others], lambda: workers.Process(target=_work, args=(project, listener)))


def _work(
    project: Project, listener: socket.socket, on_ready: Callable[[], None] | None = None
) -> None:
    _log_as_json()
    sys.setswitchinterval(_SWITCH_S)
    threadpool_limits(1)  # one list at a time: further cores take further processes
    service = open_service(project)
    config = uvicorn.Config(
        application(service),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
        lifespan="on",
    )
    if on_ready is not None:
        on_ready()
    _Server(config, service).run(sockets=[listener])


def _log_as_json() -> None:
    """Write what is logged from here on as one JSON object per line, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("longtale")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


def _watch(workers: list[BaseProcess], another: Callable[[], BaseProcess]) -> None:
    """Keep as many processes at work as were asked for, until told to stop."""
    is_stopping = False

    def stop(*_: object) -> None:
        nonlocal is_stopping
        is_stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for worker in workers:
        worker.start()
    while not is_stopping:
        time.sleep(0.2)
        for place, worker in enumerate(workers):
            if not worker.is_alive() and not is_stopping:
                log.warn("a worker ended and is replaced", exit_code=worker.exitcode)
                workers[place] = another()
                workers[place].start()
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE_S + 5)
