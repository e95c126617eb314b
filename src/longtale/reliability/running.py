"""A server in this process, behind a real socket, whose parts can be looked at and broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from longtale.contracts import EventStore
from longtale.recommend.project import Project
from longtale.serve.app import application
from longtale.serve.opening import open_service
from longtale.serve.protocol import GuardedProtocol
from longtale.serve.server import address_of, listening
from longtale.serve.service import Service

START_S = 60.0


@dataclass(frozen=True)
class Running:
    """A server in this process.

    Args:
        service: what answers.
        client: asks it over HTTP.
        url: its address.
    """

    service: Service
    client: httpx.Client
    url: str


@contextmanager
def running(project: Project, *, store: EventStore | None = None) -> Iterator[Running]:
    """Serve a project until the context ends, then stop it in order."""
    service = open_service(project, store=store)
    listener = listening(project)
    config = uvicorn.Config(
        application(service), http=GuardedProtocol, log_config=None, access_log=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    url = address_of(listener)
    try:
        with asking(url) as client:
            yield Running(service, client, url)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def asking(url: str, *, timeout_s: float = 30.0) -> httpx.Client:
    """Give a client of a service of this machine."""
    return httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)
