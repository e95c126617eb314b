"""A PostgreSQL server of one's own, in a folder, to be stopped under load."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_S = 30.0
_SETTINGS = {"listen_addresses": "", "shared_buffers": "16MB", "fsync": "off"}


class Postgres:
    """A server that can be stopped and started.

    Args:
        folder: where its data and its socket lie.
        programs: folder of `initdb` and `pg_ctl`.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._run("initdb", "-D", str(self._data), "-U", "longtale", "-A", "trust", "--no-sync")

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgresql://longtale@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self._folder)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self) -> None:
        """End it and all its connections; nothing that was committed is lost."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self._data))

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = _unprivileged([str(self._programs / program), *arguments])
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, timeout=_START_S, cwd=self._folder
        )


@contextmanager
def postgres() -> Iterator[Postgres | None]:
    """Run a server until the context ends; None where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    # Names of sockets may have 107 signs, and the server may have to run as another user.
    folder = Path(tempfile.mkdtemp(prefix="longtale-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _user())
    server = Postgres(folder, programs)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Give the folder of the newest PostgreSQL."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    places = os.pathsep.join([*map(str, reversed(debian)), os.environ.get("PATH", "")])
    found = shutil.which("pg_ctl", path=places)
    return None if found is None else Path(found).resolve().parent


def _unprivileged(command: Sequence[str]) -> list[str]:
    """Give a command that runs as a user other than root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return list(command)
    entry = pwd.getpwnam(_user())
    ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, *command]


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
