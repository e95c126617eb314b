"""Running the service: `serve`, `keys`."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Annotated, Literal

import typer

from longtale.cli.command import Outcome
from longtale.cli.options import DEFAULT_CONFIG, Changes, Config, ConfigOption, open_project
from longtale.errors import MissingExtraError, SettingsError

ScopeName = Literal["read", "write", "admin"]


def serve(
    config: Config = DEFAULT_CONFIG,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes that answer.")] = None,
    changes: Changes = None,
) -> Outcome:
    """Serve a trained bundle over HTTP, until stopped with Ctrl-C.

    Other addresses than this machine's own need a key first: see `longtale keys`.
    """
    try:
        from longtale.serve import server
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), extra="serve", purpose="the service") from None
    given = {"host": host, "port": port, "workers": workers}
    own = [f"serve.{name}={value}" for name, value in given.items() if value is not None]
    project = open_project(config, [*(changes or ()), *own])
    with server.listening(project) as listener:
        server.serve(project, listener, on_ready=partial(_announce, server.address_of(listener)))
    return Outcome({"stopped": True}, lambda console: console.print("stopped"))


def keys(
    name: Annotated[str, typer.Argument(help="What the key is for.", show_default=False)],
    scope: Annotated[ScopeName, typer.Option("--scope", help="What it allows.")] = "read",
    config: ConfigOption = DEFAULT_CONFIG,
) -> Outcome:
    """Make a key for the service; it is shown once.

    The service may run meanwhile: it knows the key at once.
    """
    try:
        from longtale.serve.keys import Scope, new_key
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), extra="serve", purpose="the service") from None
    from longtale.feedback.stores import open_store

    project = open_project(config)
    if project.settings.serve.store == "memory:":
        raise SettingsError(
            "serve.store is 'memory:', so that a key would be gone at once; name a store that "
            "lasts, such as sqlite:///events.db"
        )
    now = time.time_ns() // 1000
    made = new_key(Scope(scope), name, now=now)
    store = open_store(project.settings.serve.store, project.folder)
    try:
        store.append([made.key.record(now)])
    finally:
        store.close()
    values = {"id": made.key.id, "scope": scope, "name": name, "token": made.token}
    return Outcome(values, lambda console: console.print(made.token))


def _announce(address: str) -> None:
    print(f"longtale serves at {address}; what it can do: {address}/docs", file=sys.stderr)
