"""Servers that tests start for themselves: PostgreSQL and Redis, one of each per test process.

Import the fixtures into a `conftest.py`. Nothing here touches a server that runs already.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
import redis

START_S = 30.0
WITHOUT = "LONGTALE_TEST_WITHOUT_SERVICES"


def program(*names: str) -> str:
    """Give the path of the first of these programs that is installed; without one the test fails.

    It is skipped instead where the environment says LONGTALE_TEST_WITHOUT_SERVICES=1.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    places = os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(debian))])
    for name in names:
        if found := shutil.which(name, path=places):
            return found
    missing = f"{' or '.join(names)} is not installed; install it with: make services"
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(missing)
    pytest.fail(f"{missing} (or skip such tests with {WITHOUT}=1)", pytrace=False)


class Server:
    """A server of ours in a folder of its own; subclasses say how it is started and asked."""

    def __init__(self, folder: Path, user: str | None = None) -> None:
        self.folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    stop_signal = signal.SIGTERM

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                as_user(self._user, self.command()), stdout=log, stderr=log, cwd=self.folder
            )
        wait_until(lambda: self._is_up(), f"{self.command()[0]} answers")

    def stop(self) -> None:
        """Stop it in order, as an administrator would."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it and its children at once, as a failing machine would."""
        children = children_of(self._running.pid)
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, children)), "its children are gone")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Be without it for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it answer nothing for a while, and keep its connections."""
        pids = [self._running.pid, *children_of(self._running.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process

    def _is_up(self) -> bool:
        code = self._running.poll()
        log = (self.folder / "log").read_text(errors="replace")
        assert code is None, f"it ended with {code}:\n{log[-2000:]}"
        return self.answers()

    def _end(self, how: signal.Signals) -> None:
        self._running.send_signal(how)
        self._running.wait(START_S)


class PostgresServer(Server):
    stop_signal = signal.SIGINT  # "fast": connections are ended, nothing is lost

    def __init__(self, folder: Path, user: str | None) -> None:
        super().__init__(folder, user)
        self._names = count()
        self.data = folder / "data"
        command = [program("initdb"), "-D", str(self.data), "-U", "longtale", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(as_user(user, command), check=True, capture_output=True, cwd=folder)

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.folder,
            "wal_recycle": "off",  # so that `compact` can clean the log too
            "shared_buffers": "32MB",
            # No test cuts the power of this server.
            "fsync": "off",
        }
        given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.data), *given]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://longtale@/{database}?host={self.folder}"

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def emptied(self) -> str:
        """Empty the database `postgres`, and give its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute("GRANT USAGE ON SCHEMA public TO public")
        return self.url()

    def new_database(self) -> str:
        """Make one more database, which takes a hundred times longer, and give its URL."""
        name = f"test{next(self._names)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


class RedisServer(Server):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()

    def command(self) -> Sequence[str]:
        # What it holds is written when it is stopped, so that a restart finds it again.
        settings = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "3600 1"]
        return [program("redis-server", "valkey-server"), *settings, "--dir", str(self.folder)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process."""
    program("postgres")
    user = unprivileged()
    with own_folder("postgres", user) as folder:
        server = PostgresServer(folder, user)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database."""
    return postgres_server.emptied()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server of this test process."""
    with own_folder("redis") as folder:
        server = RedisServer(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


def wait_until(is_so: Callable[[], bool], what: str, *, within_s: float = START_S) -> None:
    """Wait for something that comes true by itself."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"waited {within_s:g} s in vain until {what}"
        time.sleep(0.02)


def free_port() -> int:
    """Give a port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged() -> str | None:
    """Give the user for a server that refuses to run as root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def as_user(user: str | None, command: Sequence[str]) -> list[str]:
    """Give a command that ends when this process does, run by another user where one is named."""
    setpriv = [program("setpriv"), "--pdeathsig", "KILL"]
    if user is not None:
        entry = pwd.getpwnam(user)
        setpriv += [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return [*setpriv, *command]


def children_of(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def is_running(pid: int) -> bool:
    """Say whether a process is there, and not only its exit code."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def own_folder(name: str, user: str | None = None) -> Iterator[Path]:
    """Give a short-named folder that the user may enter, for as long as it is needed.

    Names of sockets may have 107 signs, and pytest's folders are closed to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"longtale-{name}-"))
    if user is not None:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
