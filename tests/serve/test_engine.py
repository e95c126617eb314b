from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.said import ask, event, histories, history, ids, item, record

from longtale.data.event import DEFAULT_KINDS
from longtale.data.record import RecordKind
from longtale.errors import BundleError, LongtaleError, StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.recommend.pipeline import Recommender
from longtale.serve import engine as engines
from longtale.serve.engine import Engine
from longtale.serve.pace import Level

KINDS = {kind.name: kind for kind in DEFAULT_KINDS}
HIDDEN = {"title": "The rocket space", "genres": "space", "hidden": True}
SHOWN = {**HIDDEN, "hidden": False}


@dataclass(frozen=True, eq=False)
class Slow(Recommender):
    """A recommender that waits in the middle of its work until it is told to go on."""

    def having_learned(self, events):
        return self._waiting(super().having_learned(events))

    def with_changes(self, frame, **more):
        return self._waiting(super().with_changes(frame, **more))

    def _waiting(self, done):
        BEGUN.set()
        assert GO_ON.wait(20)
        return done


BEGUN, GO_ON = Event(), Event()


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do something while slow work is under way."""
    BEGUN.clear()
    GO_ON.clear()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert BEGUN.wait(20)
        yield
    finally:
        GO_ON.set()
        thread.join()


@pytest.fixture
def slow(make_engine, store, recommender) -> Engine:
    parts = {part.name: getattr(recommender, part.name) for part in fields(recommender)}
    return make_engine(store, found=Slow(**parts))


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("event"), st.sampled_from(["u0", "u3", "ann"]), st.sampled_from(range(9))
        ),
        st.tuples(st.just("dismiss"), st.sampled_from(["u0", "ann"]), st.sampled_from(range(9))),
        st.tuples(st.just("item"), st.sampled_from(["i1", "i9", "new"]), st.booleans()),
        st.tuples(st.just("take away"), st.sampled_from(["i2", "new"]), st.none()),
        st.tuples(st.just("mute"), st.sampled_from(["u0", "ann"]), st.sampled_from(range(9))),
        st.tuples(st.just("rule"), st.sampled_from(["r", "s"]), st.sampled_from(range(9))),
        st.tuples(st.just("place"), st.none(), st.none()),
        st.tuples(st.just("learn"), st.none(), st.none()),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_what_must_not_come_comes_on_no_rung_whatever_was_written_before(recommender, operations):
    """The very next answer goes by each write, placed and learned or not."""
    engine = Engine(recommender, MemoryStore(), KINDS, commit_wait_ms=0)
    met: dict[str, set[str]] = {user: set(history(engine, user)) for user in ("u0", "u3", "ann")}
    muted: dict[str, set[str]] = {}
    gone: set[str] = set()
    ruled_out: dict[str, str] = {}
    try:
        for what, who, which in operations:
            match what:
                case "event" | "dismiss":
                    kind = "view" if what == "event" else "dismiss"
                    engine.append([event(who, f"i{which}", kind)])
                    met.setdefault(who, set()).add(f"i{which}")
                case "item":
                    engine.append([item(who, {"title": "The comet space", "hidden": which})])
                    (gone.add if which else gone.discard)(who)
                case "take away":
                    engine.append([item(who, None)])
                    gone.add(who)
                case "mute":
                    taste = {"muted": [f"i{which}"], "more": ["love"]}
                    engine.append([record(RecordKind.TASTE, who, taste)])
                    muted[who] = {f"i{which}"}
                case "rule":
                    rule = {"action": "hide", "items": [f"i{which}"]}
                    engine.append([record(RecordKind.RULE, who, rule)])
                    ruled_out[who] = f"i{which}"
                case "place":
                    engine.place()
                case "learn":
                    engine.learn()
            known = set(engine.world.live.dataset.items.ids)
            for user in ("u0", "u3", "ann"):
                never = met[user] | muted.get(user, set()) | gone | set(ruled_out.values())
                for level in Level:
                    answer = ask(engine, user, level=level)
                    found = ids(answer)
                    assert not set(found) & never
                    assert len(set(found)) == len(found)
                    if what == "place":
                        assert set(found) == known - never, "what is shown again is there again"
                    assert answer.seq == engine.store.last_seq()
                    assert ("popular" in answer.degraded) == (level is Level.POPULAR)
    finally:
        engine.close()


def test_the_next_answer_knows_an_event_also_of_somebody_new(engine):
    before = ids(ask(engine, "ann"))
    assert "i0" in before
    done = engine.append([event("ann", "i0")])
    after = ask(engine, "ann")
    assert after.seq == done.seq == 1
    assert "i0" not in ids(after)
    assert "chosen_together" in {why.code for why in after.items[0].reasons}


def test_the_same_event_twice_changes_nothing(engine):
    engine.append([event("ann", "i0", id="e")])
    first = (history(engine, "ann"), engine.store.last_seq())
    done = engine.append([event("ann", "i0", id="e"), event("ann", "i5", id="e")])
    assert done.is_new == (False, False)
    assert (history(engine, "ann"), engine.store.last_seq()) == first == (["i0"], 1)


def test_learning_changes_no_history_and_no_exclusion(engine):
    engine.append([event("u0", "i9"), event("ann", "i1"), event("ann", "i2", "dismiss")])
    engine.append([event("bob", "i3"), event("ann", "i4")])
    before = histories(engine), {user: set(ids(ask(engine, user))) for user in ("u0", "ann", "u1")}
    assert engine.learn() == 5
    after = histories(engine), {user: set(ids(ask(engine, user))) for user in ("u0", "ann", "u1")}
    assert after == before
    assert not len(engine.world.live.pending)
    assert engine.world.recommender.dataset.n_users == 22
    assert engine.learn() == 0


def test_what_was_learned_is_what_learning_all_at_once_gives(engine, recommender):
    events = [event("ann", "i1"), event("u0", "i9"), event("ann", "i3")]
    for each in events:
        engine.append([each])
        engine.learn()
    at_once = Engine(recommender, MemoryStore(), KINDS)
    at_once.append(events)
    at_once.learn()
    assert ids(ask(engine, "u4")) == ids(ask(at_once, "u4"))
    assert histories(engine) == histories(at_once)
    at_once.close()


def test_no_event_is_lost_that_comes_while_a_model_learns(slow):
    slow.append([event("ann", "i0")])
    with meanwhile(slow.learn):
        slow.append([event("ann", "i5"), event("bob", "i6")])
        assert history(slow, "ann") == ["i0", "i5"]
        assert "i5" not in ids(ask(slow, "ann"))
    assert history(slow, "ann") == ["i0", "i5"]
    assert history(slow, "bob") == ["i6"]
    assert len(slow.world.live.pending) == 2
    GO_ON.set()
    assert slow.learn() == 2
    assert (history(slow, "ann"), history(slow, "bob")) == (["i0", "i5"], ["i6"])


def test_an_item_that_changes_while_it_is_placed_is_placed_again(slow):
    slow.append([item("i1", SHOWN)])
    with meanwhile(slow.place):
        slow.append([item("i1", HIDDEN), event("ann", "i2")])
        assert "i1" not in ids(ask(slow, "zoe"))
    assert slow.world.unplaced == {"i1"}
    assert "i1" not in ids(ask(slow, "zoe"))
    GO_ON.set()
    assert slow.place() == 1
    assert "i1" not in ids(ask(slow, "zoe"))
    assert not slow.world.unplaced
    assert history(slow, "ann") == ["i2"]


@pytest.mark.parametrize("work", ["learn", "place"])
def test_who_is_forgotten_while_a_model_is_renewed_does_not_come_back_with_it(slow, work):
    slow.append([event("ann", "i0"), event("u0", "i9"), item("i1", SHOWN)])
    with meanwhile(getattr(slow, work)):
        slow.forget("ann")
        slow.forget("u0")
    for user in ("ann", "u0"):
        assert not slow.world.knows(user)
        assert history(slow, user) == []
    GO_ON.set()
    assert getattr(slow, work)() in (0, 1)
    assert not slow.world.knows("ann")


def test_a_new_item_can_be_found_once_it_is_placed_and_events_on_it_count(engine):
    engine.append([item("new", SHOWN), event("ann", "new"), event("bob", "i1")])
    assert "new" not in ids(ask(engine, "bob"))
    assert history(engine, "ann") == []
    assert engine.renew() == 1
    assert "new" in ids(ask(engine, "bob"))
    assert history(engine, "ann") == ["new"]
    assert engine.learn() == 2
    assert engine.renew() == 0


def test_one_document_that_does_not_fit_keeps_no_other_from_its_place(engine):
    engine.append([item("a", {"title": "x", "year": "MM"}), item("b", {"title": ["y"]})])
    engine.append([item("c", {"title": {"en": 1}, "available_until": "2999-01-01"})])
    assert engine.renew() == 3
    assert {"a", "b", "c"} <= set(ids(ask(engine, "zoe")))


def test_many_items_are_placed_in_parts(engine, monkeypatch):
    monkeypatch.setattr(engines, "PLACED_AT_ONCE", 2)
    engine.append([item(f"n{k}", SHOWN) for k in range(5)])
    assert [engine.renew() for _ in range(4)] == [2, 2, 1, 0]


def test_two_engines_on_one_store_follow_each_other(make_engine):
    store = MemoryStore()
    one, other = make_engine(store), make_engine(store)
    done = one.append([event("ann", "i0"), record(RecordKind.USER, "ann", {"about": "x"})])
    assert not other.world.knows("ann")
    assert other.catch_up(done.seq) == done.seq
    assert history(other, "ann") == ["i0"]
    other.append([event("ann", "i1"), item("i2", None)])
    one.catch_up()
    assert histories(one) == histories(other)
    assert ids(ask(one, "ann")) == ids(ask(other, "ann"))
    one.forget("ann")
    assert other.world.knows("ann")
    other.catch_up()
    assert not other.world.knows("ann")
    assert "ann" not in other.views.users


def test_an_engine_that_starts_again_knows_what_the_one_before_knew(make_engine):
    store = MemoryStore()
    one = make_engine(store)
    one.append([event("u0", "i9"), item("new", SHOWN), event("ann", "new")])
    one.append([record(RecordKind.RULE, "r", {"action": "hide", "items": ["i3"]})])
    one.forget("u1")
    one.renew()
    one.learn()
    again = make_engine(store)
    again.renew()
    assert {u: h for u, h in histories(again).items() if not u.startswith("forgotten")} == {
        u: h for u, h in histories(one).items() if not u.startswith("forgotten")
    }
    assert set(ids(ask(again, "u4"))) == set(ids(ask(one, "u4")))
    assert again.views.rules == one.views.rules


def test_forgetting_leaves_nothing_of_a_user_and_they_come_back_as_a_newcomer(engine):
    for kind, body in ((RecordKind.USER, {"about": "x"}), (RecordKind.TASTE, {"muted": ["i9"]})):
        engine.append([record(kind, "u0", body)])
    engine.append([event("u0", "i9"), event("u0", "unplaced"), event("u1", "i0")])
    engine.learn()
    engine.append([event("u0", "i8")])
    receipt, removed = engine.forget("u0")
    assert removed == {"event": 3, "user": 1, "taste": 1, "slate": 0}
    assert engine.store.find([receipt]) == []
    assert not engine.world.knows("u0")
    assert set(ids(ask(engine, "u0"))) == set(engine.world.live.dataset.items.ids)
    assert "u0" not in {*engine.views.users, *engine.views.tastes}
    assert "u0" not in repr(engine.store.read(0, 99))
    engine.append([event("u0", "i5")])
    assert history(engine, "u0") == ["i5"]
    assert history(engine, "u1")[-1] == "i0"


def test_events_that_come_between_removal_and_receipt_are_forgotten_too(engine, monkeypatch):
    engine.append([event("ann", "i0")])
    forget, n_asked = engine.store.forget, 0

    def forget_and_hear_more(user):
        nonlocal n_asked
        removed = forget(user)
        n_asked += 1
        if n_asked == 1:
            engine.append([event("ann", "i5")])
        return removed

    monkeypatch.setattr(engine.store, "forget", forget_and_hear_more)
    _, removed = engine.forget("ann")
    assert removed["event"] == 2
    assert engine.store.recent(RecordKind.EVENT, "ann", 9) == []
    assert not engine.world.knows("ann")


def told(version: str) -> Callable[[str], list]:
    return lambda before: [record(RecordKind.MODEL, version, {"instead_of": before})]


def test_a_promoted_bundle_answers_at_once_and_knows_what_the_one_before_knew(engine):
    engine.append([event("ann", "i0"), item("new", SHOWN), event("ann", "new")])
    engine.append([record(RecordKind.RULE, "r", {"action": "hide", "items": ["i3"]})])
    engine.learn()
    before = set(ids(ask(engine, "ann")))
    seq = engine.promote("second", told("second"))
    answer = ask(engine, "ann")
    assert answer.model_version == "second"
    assert answer.seq == seq == engine.store.last_seq()
    assert set(ids(answer)) == before
    assert history(engine, "ann") == ["i0", "new"]
    assert not engine.world.unplaced, "new items are there from the first answer on"


def test_going_back_knows_what_came_since(engine, recommender):
    engine.promote("second", told("second"))
    engine.append([event("ann", "i0"), item("i1", HIDDEN)])
    engine.forget("u0")
    engine.promote(recommender.version, told(recommender.version))
    answer = ask(engine, "ann")
    assert answer.model_version == recommender.version
    assert not {"i0", "i1"} & set(ids(answer))
    assert not engine.world.knows("u0")


def test_the_model_before_forgets_with_the_one_that_answers(engine, recommender):
    """It is kept at hand for going back; nobody may be found in it."""
    engine.promote("second", told("second"))
    engine.forget("u0")
    assert engine.retired is not None
    assert engine.retired.recommender.version == recommender.version
    assert not engine.retired.knows("u0")


def test_what_is_written_while_a_bundle_is_promoted_is_not_lost(make_engine, monkeypatch):
    """Rules and documents of another process, which nobody here followed yet, are known after."""
    store = MemoryStore()
    engine = make_engine(store)
    found = engines.warmed

    def write_meanwhile(recommender):
        store.append([record(RecordKind.RULE, "r", {"action": "hide", "items": ["i3"]})])
        store.append([record(RecordKind.TASTE, "ann", {"muted": ["i4"]}), item("i5", HIDDEN)])
        store.append([item("new", SHOWN)])
        return found(recommender)

    monkeypatch.setattr(engines, "warmed", write_meanwhile)
    engine.promote("second", told("second"))
    monkeypatch.setattr(engines, "warmed", found)
    assert not {"i3", "i4", "i5"} & set(ids(ask(engine, "ann")))
    engine.renew()
    assert "new" in ids(ask(engine, "ann"))
    assert not {"i3", "i4", "i5"} & set(ids(ask(engine, "ann")))


def test_another_process_follows_a_promotion(make_engine):
    store = MemoryStore()
    one, other = make_engine(store), make_engine(store)
    one.promote("second", told("second"))
    other.catch_up()
    other.renew()
    assert other.world.recommender.version == "second"
    started_later = make_engine(store)
    started_later.renew()
    assert started_later.world.recommender.version == "second"


def test_promoting_the_model_that_answers_changes_nothing(engine, recommender):
    assert engine.promote(recommender.version, told(recommender.version)) == 0
    assert engine.store.last_seq() == 0
    assert not engine.has_retired(recommender.version)


def corrupted(shop, tmp_path, recommender) -> dict[str, object]:
    folder = tmp_path / "bundle"
    shutil.copytree(shop.folder / "models" / "second", folder)
    part = folder / "blend.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    return {"second": folder, recommender.version: shop.bundle}


def test_a_corrupted_bundle_is_refused_and_the_present_one_goes_on(shop, tmp_path, recommender):
    folders = corrupted(shop, tmp_path, recommender)
    engine = Engine(recommender, MemoryStore(), KINDS, find_bundle=folders.get)
    with pytest.raises(BundleError, match="was changed after it was written"):
        engine.promote("second", told("second"))
    with pytest.raises(LongtaleError, match="no bundle of version 'third'"):
        engine.promote("third", told("third"))
    assert engine.store.last_seq() == 0
    assert ask(engine, "u0").model_version == recommender.version
    engine.close()


def test_a_bundle_of_the_log_that_is_refused_is_tried_again_after_a_while(
    shop, tmp_path, recommender, monkeypatch
):
    folders = corrupted(shop, tmp_path, recommender)
    store = MemoryStore()
    store.append(told("second")("first"))
    tried = []

    def find(version):
        tried.append(version)
        return folders[version]

    engine = Engine(recommender, store, KINDS, find_bundle=find)
    engine.renew()
    engine.renew()
    assert tried == ["second"]
    assert "was changed" in engine.refused["second"]
    assert ask(engine, "u0").model_version == recommender.version
    folders["second"] = shop.folder / "models" / "second"
    monkeypatch.setattr(engines, "RETRY_S", 0.0)
    engine.renew()
    assert ask(engine, "u0").model_version == "second"
    assert not engine.refused
    engine.close()


class Failing(MemoryStore):
    """A store that can be read and written until it is told to fail."""

    cannot_write = cannot_read = False

    def append(self, records):
        if self.cannot_write:
            raise StoreError("no space is left")
        return super().append(records)

    def read(self, after, limit, *, kinds=()):
        if self.cannot_read:
            raise StoreError("it cannot be reached")
        return super().read(after, limit, kinds=kinds)


def test_while_the_store_cannot_be_written_answers_go_on_and_nothing_unsafe_is_known(make_engine):
    store = Failing()
    engine = make_engine(store)
    engine.append([event("ann", "i0")])
    store.cannot_write = True
    with pytest.raises(StoreError, match="no space"):
        engine.append([event("ann", "i5")])
    assert history(engine, "ann") == ["i0"]
    assert "i5" in ids(ask(engine, "ann"))
    with pytest.raises(StoreError, match="no space"):
        engine.promote("second", told("second"))
    assert ask(engine, "ann").model_version != "second"
    store.cannot_write = False
    engine.append([event("ann", "i5")])
    assert history(engine, "ann") == ["i0", "i5"]


def test_what_is_known_stays_known_while_the_store_cannot_be_read(make_engine):
    store = Failing()
    engine = make_engine(store)
    engine.append([event("ann", "i0")])
    store.cannot_read = True
    assert engine.catch_up(1) == 1
    with pytest.raises(StoreError, match="cannot be reached"):
        engine.catch_up(2)
    assert "i0" not in ids(ask(engine, "ann"))


def test_all_records_are_heard_once_and_in_their_order(recommender):
    heard: list[str] = []
    store = MemoryStore()
    store.append([event("ann", "i0", id="a")])
    engine = Engine(
        recommender, store, KINDS, heard=lambda records: heard.extend(r.id for r in records)
    )
    engine.append([event("ann", "i1", id="b")])
    engine.append([event("ann", "i1", id="b"), event("ann", "i2", id="c")])
    assert heard == ["a", "b", "c"]
    engine.close()


def test_threads_that_write_at_once_lose_nothing(engine):
    n_threads, n_each = 8, 12
    start = threading.Barrier(n_threads)
    wrong: list[str] = []

    def write(thread: int) -> None:
        start.wait()
        for step in range(n_each):
            user = f"t{thread}-{step}"
            engine.append([event(user, "i0")])
            if "i0" in ids(ask(engine, user, n=17)):
                wrong.append(user)
            if step % 5 == 0:
                engine.learn()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    engine.learn()
    for thread in range(n_threads):
        for step in range(n_each):
            assert history(engine, f"t{thread}-{step}") == ["i0"]


def test_swaps_under_load_fail_no_answer_and_lose_no_event(engine, recommender):
    """Each answer is of one model, and no later one of a reader knows less than one before."""
    versions = (recommender.version, "second")
    is_over, wrong = threading.Event(), []

    def look(user: str) -> None:
        last = n_asked = 0
        while not is_over.is_set() or n_asked < 3:
            try:
                engine.append([event(user, f"i{n_asked % 7}")])
                found = ask(engine, user)
            except Exception as error:  # noqa: BLE001  whatever it is, no reader may see it
                wrong.append(error)
                return
            if found.model_version not in versions or found.seq < last:
                wrong.append((found.model_version, found.seq, last))
            if f"i{n_asked % 7}" in ids(found):
                wrong.append((user, n_asked))
            last, n_asked = found.seq, n_asked + 1

    readers = [threading.Thread(target=look, args=(f"reader {k}",)) for k in range(3)]
    for reader in readers:
        reader.start()
    for k in range(8):
        engine.promote(versions[(k + 1) % 2], told(versions[(k + 1) % 2]))
        engine.renew()
    is_over.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert ask(engine).model_version == recommender.version
