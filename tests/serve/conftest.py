"""A trained shop, and services, engines and clients of it that last for one test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.serve.shop import write_shop

from longtale.blend.convex import ConvexBlend
from longtale.blend.gate import GatedBlend
from longtale.contracts import EventStore
from longtale.feedback.memory_store import MemoryStore
from longtale.recommend.bundle import load, save
from longtale.recommend.pipeline import Recommender
from longtale.recommend.project import Project
from longtale.recommend.train import train
from longtale.serve.app import application
from longtale.serve.engine import Engine
from longtale.serve.opening import kinds_of, open_service
from longtale.serve.service import Service

MakeEngine = Callable[..., Engine]


def trained(project: Project) -> Recommender:
    """Train, and let all sources have the same say: in a toy world validation keeps only one."""
    found = train(project.dataset(), project.settings)
    sources = found.hybrid.sources
    blender = GatedBlend.flat(ConvexBlend.equal(sources, sources), found.hybrid.blender.items)
    return replace(found, hybrid=replace(found.hybrid, blender=blender))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its bundle, and another one on the shelf; nobody writes here."""
    project = Project.open(write_shop(tmp_path_factory.mktemp("shop")))
    first = trained(project)
    save(first, project.bundle)
    save(replace(first, version="second"), project.folder / "models" / "second")
    return project


@pytest.fixture(scope="session")
def recommender(shop: Project) -> Recommender:
    return load(shop.bundle)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make_engine(shop: Project, recommender: Recommender) -> Iterator[MakeEngine]:
    """Make engines over a store; all are closed in the end."""
    made: list[Engine] = []

    def make(store: EventStore, *, found: Recommender = recommender) -> Engine:
        folders = {recommender.version: shop.bundle, "second": shop.folder / "models" / "second"}
        engine = Engine(found, store, kinds_of(shop), find_bundle=folders.get, commit_wait_ms=0)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine, store: MemoryStore) -> Engine:
    return make_engine(store)


@pytest.fixture
def service(shop: Project, store: MemoryStore, tmp_path: Path) -> Iterator[Service]:
    """A service without its background work, on a copy: to forget a user writes the bundle."""
    opened = open_service(copy_of(shop, tmp_path / "own shop"), store=store)
    yield opened
    opened.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    """Asks a service without its background work, from this machine."""
    return asking(service)


@pytest.fixture
def live(shop: Project, tmp_path: Path) -> Iterator[TestClient]:
    """Asks a service with its background work, on a copy, from this machine."""
    with asking(open_service(copy_of(shop, tmp_path / "own shop"))) as client:
        yield client


def asking(service: Service) -> TestClient:
    """Give a client of a service; its background works while the client is open."""
    app = application(service)
    return TestClient(app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50000))


def copy_of(shop: Project, folder: Path) -> Project:
    """Give a copy of a project that may be written to."""
    shutil.copytree(shop.folder, folder)
    return Project.open(folder)
