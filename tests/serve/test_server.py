"""The server as it is started: its processes, its address, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import copy_of

from longtale.recommend.project import Project
from longtale.serve import server

START_S = 120.0
"""A busy machine takes long to load a process."""


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `longtale serve`, and give the process and the address that it announced."""
    process = started(folder, *options)
    try:
        assert process.stderr is not None
        line = ""
        while "serves at" not in line:
            line = process.stderr.readline()
            assert line, f"it ended with {process.wait()}"
        yield process, re.findall(r"http://[^ ;]+", line)[0]
    finally:
        process.kill()
        process.communicate()


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    run = "from longtale.cli.main import main; main()"
    command = [sys.executable, "-c", run, "serve", str(folder), "--port", "0", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def ended(folder: Path, *options: str) -> tuple[int, str]:
    """Run `longtale serve` where it cannot; give its exit code and what it said."""
    process = started(folder, *options)
    _, said = process.communicate(timeout=START_S)
    return process.returncode, said


@pytest.fixture
def project(shop: Project, tmp_path: Path) -> Project:
    return copy_of(shop, tmp_path / "shop")


SQLITE = ("--set", "serve.store=sqlite:///events.db")


@pytest.mark.parametrize(
    ("n_workers", "stop"), [(1, signal.SIGTERM), (1, signal.SIGINT), (2, signal.SIGTERM)]
)
def test_it_says_where_it_serves_answers_and_ends_with_0_when_told_to(project, n_workers, stop):
    with serving(project.folder, *SQLITE, "--workers", str(n_workers)) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with httpx.Client(base_url=address, timeout=START_S) as client:
            done = client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i0"})
            seq = done.json()["seq"]
        for _ in range(6):  # a new connection each time, so that every worker is asked
            told = httpx.get(
                f"{address}/v1/recommend/ann?n=99&min_seq={seq}", timeout=START_S
            ).json()
            assert told["seq"] == seq
            assert "i0" not in [each["id"] for each in told["items"]]
        counted = httpx.get(f"{address}/v1/metrics", timeout=START_S).text
        assert 'route="/v1/recommend/{user}",status="2xx"} 6.0' in counted
        process.send_signal(stop)
        out, _ = process.communicate(timeout=START_S)
        assert (process.returncode, out) == (0, "stopped\n")
        with pytest.raises(httpx.ConnectError, match="refused"):
            httpx.get(address)


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status").read_text()
    return "State:\tZ" not in status


def dealt(pid: int, address: str) -> list[int]:
    """Count the connections that each worker of a service holds at its end."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    served = {f"socket:[{f[9]}]" for f in lines if f[3] == "01" and f[1].endswith(port)}
    return [sum(name in served for name in open_files(worker)) for worker in spawned(pid)]


def open_files(pid: int) -> list[str]:
    """Name what a process has open; what it closes meanwhile is left out."""
    names = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(str(file.readlink()))
    return names


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def connected(address: str) -> httpx.Client:
    """Give a client whose connection has been answered on, and stays open."""
    client = httpx.Client(base_url=address, timeout=START_S)
    assert client.get("/v1/health/live").status_code == 200
    return client


def test_connections_that_stay_open_are_dealt_evenly_also_when_a_worker_was_replaced(project):
    with serving(project.folder, *SQLITE, "--workers", "2") as (process, address):

        def reaches_second() -> bool:
            with closing(connected(address)):
                return dealt(process.pid, address)[-1] == 1

        def four() -> list[httpx.Client]:
            """Connect four times, each when the one before has come to a worker."""
            before, clients = sum(dealt(process.pid, address)), []
            for _ in range(4):
                clients.append(connected(address))
                wait_until(lambda: sum(dealt(process.pid, address)) == before + len(clients))
            return clients

        wait_until(reaches_second)
        wait_until(lambda: dealt(process.pid, address) == [0, 0])
        clients = four()
        assert dealt(process.pid, address) == [2, 2]
        killed, kept = spawned(process.pid)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(set(spawned(process.pid)) - {killed, kept}) == 1)
        assert spawned(process.pid)[0] == kept
        wait_until(reaches_second)
        wait_until(lambda: dealt(process.pid, address) == [2, 0])
        clients += four()
        assert dealt(process.pid, address) == [3, 3]
        for client in clients:
            client.close()


def test_a_worker_that_dies_is_replaced_and_all_go_with_their_parent(project):
    with serving(project.folder, *SQLITE, "--workers", "2") as (process, address):
        workers = spawned(process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        deadline = time.monotonic() + START_S
        while len(new := set(spawned(process.pid)) - set(workers)) < 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx.get(f"{address}/v1/health/live", timeout=START_S).status_code == 200
        process.kill()
        process.wait()
        while any(is_alive(pid) for pid in [*workers, *new]):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except FileNotFoundError:
        return ""


def spawned(pid: int) -> Sequence[int]:
    return [child for child in children_of(pid) if "spawn_main" in command_of(child)]


@pytest.mark.parametrize("n_workers", ["1", "2"])
def test_where_it_cannot_serve_it_says_why_and_ends(project, n_workers):
    (project.bundle / "more.txt").write_text("x")
    code, said = ended(project.folder, "--workers", n_workers)
    assert code == 5
    assert said.count("unexpected ['more.txt']") == 1


def test_workers_that_cannot_start_end_the_service_with_the_reason(project):
    code, said = ended(project.folder, "--workers", "2", "--host", "0.0.0.0")
    assert code == 2
    assert "there is no key; make one with: longtale keys" in said


def test_an_address_that_is_taken_is_named(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = ended(project.folder, "--port", port)
    assert code == 3
    assert f"'127.0.0.1:{port}' cannot be used: Address already in use" in said


@pytest.mark.parametrize(
    ("host", "pattern"), [("127.0.0.1", r"http://127\.0\.0\.1:\d+"), ("::1", r"http://\[::1\]:\d+")]
)
def test_an_address_is_told_as_a_url(shop, host, pattern):
    serve = shop.settings.serve.model_copy(update={"host": host, "port": 0})
    settings = shop.settings.model_copy(update={"serve": serve})
    try:
        listener = server.listening(Project(settings, shop.folder))
    except OSError:
        pytest.skip("this machine has no such address")
    with listener:
        assert re.fullmatch(pattern, server.address_of(listener))
