from __future__ import annotations

import pytest
from tests.serve.conftest import asking, copy_of
from tests.serve.said import ask, event, history, ids, item, record

from longtale.data.record import RecordKind
from longtale.errors import BundleError, SettingsError, StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.recommend.project import Project
from longtale.recommend.settings import LongtaleSettings
from longtale.serve.keys import Scope, new_key
from longtale.serve.opening import kinds_of, open_service


def with_serve(project: Project, **changes) -> Project:
    serve = project.settings.serve.model_copy(update=changes)
    return Project(project.settings.model_copy(update={"serve": serve}), project.folder)


class Watched(MemoryStore):
    """A store that tells whether it was closed."""

    @property
    def is_closed(self) -> bool:
        try:
            self.last_seq()
        except StoreError:
            return True
        return False


def test_a_service_knows_all_that_its_log_holds_before_it_answers(shop):
    store = MemoryStore()
    store.append([event("ann", "i0"), item("new", {"title": "x"}), event("ann", "new")])
    store.append([record(RecordKind.RULE, "r", {"action": "hide", "items": ["i3"]})])
    store.append([record(RecordKind.MODEL, "second", {"instead_of": "first"})])
    service = open_service(shop, store=store)
    assert service.engine.world.recommender.version == "second"
    assert history(service.engine, "ann") == ["i0", "new"]
    assert "i3" not in ids(ask(service.engine, "bob"))
    assert "new" in ids(ask(service.engine, "bob"))
    assert not len(service.engine.world.live.pending), "what waited is learned"
    service.close()


def test_what_was_acknowledged_is_known_to_the_next_process(shop, tmp_path):
    project = with_serve(copy_of(shop, tmp_path / "shop"), store="sqlite:///events.db")
    first = open_service(project)
    client = asking(first)
    client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i0"})
    client.put("/v1/items/new", json={"title": "x"})
    slate = client.get("/v1/recommend/ann").json()["slate_id"]
    first.close()
    again = open_service(project)
    assert history(again.engine, "ann") == ["i0"]
    assert asking(again).get("/v1/items/new").json() == {"id": "new", "title": "x"}
    assert asking(again).get(f"/v1/slates/{slate}").status_code == 200
    again.close()


def test_a_bundle_that_is_not_whole_is_not_opened_and_the_store_is_let_go(shop, tmp_path):
    project = copy_of(shop, tmp_path / "shop")
    (project.bundle / "more.txt").write_text("x")
    store = Watched()
    with pytest.raises(BundleError, match=r"unexpected \['more.txt'\]"):
        open_service(project, store=store)
    assert store.is_closed


def test_others_than_this_machine_are_served_only_with_a_key(shop):
    project = with_serve(shop, host="0.0.0.0")
    store = Watched()
    with pytest.raises(SettingsError, match="there is no key"):
        open_service(project, store=store)
    assert store.is_closed
    store = Watched()
    store.append([new_key(Scope.ADMIN, "us", now=0).key.record(0)])
    open_service(project, store=store).close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"store": "mysql://x"}, "no store is known"),
        ({"sessions": "sqlite:///x"}, "sessions cannot be shared"),
    ],
)
def test_an_address_of_no_store_is_refused(shop, changes, message):
    with pytest.raises(SettingsError, match=message):
        open_service(with_serve(shop, **changes))


def test_kinds_are_those_of_the_settings(shop):
    kinds = kinds_of(shop)
    assert kinds["dismiss"].weight < 0 < kinds["buy"].weight


@pytest.mark.parametrize("host", ["", "  "])
def test_an_empty_address_is_refused(host):
    with pytest.raises(SettingsError, match=r"'serve\.host' is '\s*'.*listen everywhere"):
        LongtaleSettings.parse({"serve": {"host": host}})
