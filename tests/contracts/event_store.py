"""The laws of every store: inherit them, say where yours lies, and that is all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from threading import Barrier, Event

import pytest

from longtale.contracts import EventStore
from longtale.data.record import ABOUT_USERS, KeptSlate, Record, RecordKind
from longtale.errors import DataError, StoreError
from longtale.feedback.stores import open_store

EVENT, ITEM, USER, TASTE = RecordKind.EVENT, RecordKind.ITEM, RecordKind.USER, RecordKind.TASTE
FAR = 10**9
HARD_TO_KEEP = {
    "float": 0.1 + 0.2,
    "tiny": 5e-324,
    "minus": -0.0,
    "large": 2**63 - 1,
    "text": "naïve 猫 \U0001f409 \x00 \"quoted\" 'so' ?",
    "nested": [{"a": []}, None, True],
}
N_BATCHES = 40
_WRITER = """
import sys
from pathlib import Path
from longtale.data.record import Record, RecordKind
from longtale.feedback.stores import open_store

url, folder, name, n_batches = sys.argv[1:]
store = open_store(url, Path(folder))
print("ready", flush=True)
sys.stdin.readline()
for batch in range(int(n_batches)):
    ids = [f"shared-{batch}", *(f"{name}-{batch}-{k}" for k in range(4))]
    appended = store.append([Record(RecordKind.EVENT, name, {}, id_, 0) for id_ in ids])
    print(batch, sum(appended.is_new), flush=True)
store.close()
"""


def event(id_: str, *, user: str = "ann", kind: RecordKind = EVENT, at: int = 0) -> Record:
    return Record(kind, user, {"item": f"about {id_}"}, id_, at)


def slate(id_: str, *, user: str | None = "ann", at: int = 0) -> KeptSlate:
    return KeptSlate(id_, user, at, {"items": [id_]})


def ids_of(store: EventStore, **wanted: Sequence[RecordKind]) -> list[str]:
    return [stored.record.id for stored in store.read(0, FAR, **wanted)]


class EventStoreLaws:
    """Inherit, and define the fixture `store`."""

    @pytest.fixture
    def store(self) -> Iterator[EventStore]:
        raise NotImplementedError

    def test_an_empty_store_has_nothing_and_number_0(self, store):
        assert store.last_seq() == 0
        assert store.read(0, FAR) == []
        assert store.recent(EVENT, "ann", 5) == []
        assert store.find(["a"]) == []
        assert store.slate("s") is None
        assert store.slates_of("ann", 5) == []
        assert store.append([]).is_new == ()

    def test_what_was_appended_is_read_in_order_and_exactly(self, store):
        records = [
            Record(ITEM, "i 1", HARD_TO_KEEP, "a", 2**62),
            Record(ITEM, "猫", None, "b", -1),
            Record(EVENT, "ann", {}, "c 猫 \U0001f409", 0),
        ]
        appended = store.append(records)
        stored = store.read(0, FAR)
        assert [each.record for each in stored] == records
        assert repr(stored[0].record.body["minus"]) == "-0.0"
        seqs = [each.seq for each in stored]
        assert seqs == sorted(set(seqs))
        assert seqs[0] > 0
        assert appended.seq == seqs[-1] == store.last_seq()
        assert appended.is_new == (True, True, True)

    def test_what_is_changed_after_it_was_handed_in_is_not_changed_in_the_store(self, store):
        body = {"item": "i1"}
        store.append([Record(EVENT, "ann", body, "a", 0)])
        body["item"] = "i2"
        store.read(0, FAR)[0].record.body["item"] = "i3"
        assert store.read(0, FAR)[0].record.body == {"item": "i1"}

    def test_the_same_id_twice_is_once_and_as_it_was_first(self, store):
        first = store.append([event("a"), event("b"), event("a", user="bob")])
        assert first.is_new == (True, True, False)
        again = store.append([event("b", user="bob"), event("c"), event("c"), event("a")])
        assert again.is_new == (False, True, False, False)
        assert ids_of(store) == ["a", "b", "c"]
        assert {stored.record.subject for stored in store.read(0, FAR)} == {"ann"}

    def test_duplicates_alone_are_known_at_the_number_that_is_told(self, store):
        store.append([event("a"), event("b")])
        last = store.last_seq()
        appended = store.append([event("a")])
        assert appended.is_new == (False,)
        assert appended.seq == last == store.last_seq()

    def test_what_was_made_of_the_latest_is_kept(self, store):
        seen = store.append([event("a", kind=USER)]).seq
        store.append([event("b"), event("c", kind=USER, user="bob")])
        done = store.append_unless_newer(
            [event("d", kind=USER), event("e", kind=RecordKind.AUDIT)], seen
        )
        assert (done.is_new, done.seq) == ((True, True), store.last_seq())
        assert ids_of(store) == ["a", "b", "c", "d", "e"]

    def test_what_was_made_of_what_is_not_so_any_more_is_not_kept(self, store):
        seen = store.append([event("a", kind=USER)]).seq
        store.append([event("b", kind=USER)])
        assert store.append_unless_newer([event("c", kind=USER), event("d")], seen) is None
        assert ids_of(store) == ["a", "b"]

    def test_of_what_several_make_of_the_same_at_one_time_one_is_kept(self, store):
        seen = store.append([event("a", kind=USER)]).seq
        begin = Barrier(6)

        def change(number: int) -> object:
            begin.wait()
            return store.append_unless_newer([event(f"c{number}", kind=USER)], seen)

        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(change, range(6)))
        assert sum(each is not None for each in done) == 1
        assert len(ids_of(store)) == 2

    def test_what_was_made_before_somebody_was_forgotten_is_not_kept(self, store):
        seen = store.append([event("a", kind=USER)]).seq
        store.forget("ann")
        store.append([event("receipt", kind=RecordKind.FORGOTTEN, user="receipt")])
        assert store.append_unless_newer([event("c", kind=USER)], seen) is None
        assert ids_of(store) == ["receipt"]

    def test_reading_goes_on_behind_a_number(self, store):
        store.append([event(f"e{k}") for k in range(7)])
        pages, after = [], 0
        while page := store.read(after, 3):
            pages.append([stored.record.id for stored in page])
            after = page[-1].seq
        assert pages == [["e0", "e1", "e2"], ["e3", "e4", "e5"], ["e6"]]
        assert after == store.last_seq()

    def test_reading_some_kinds_passes_over_the_others(self, store):
        store.append([event("a"), event("b", kind=ITEM), event("c", kind=USER), event("d")])
        assert ids_of(store, kinds=[EVENT]) == ["a", "d"]
        assert ids_of(store, kinds=[ITEM, USER]) == ["b", "c"]
        assert [s.record.id for s in store.read(0, 1, kinds=[USER])] == ["c"]

    def test_recent_gives_the_last_of_one_kind_and_subject_oldest_first(self, store):
        store.append([event(f"a{k}") for k in range(4)])
        store.append([event("b", user="bob"), event("t", kind=TASTE), event("a4")])
        assert [s.record.id for s in store.recent(EVENT, "ann", 3)] == ["a2", "a3", "a4"]
        assert [s.record.id for s in store.recent(EVENT, "ann", 99)] == [f"a{k}" for k in range(5)]
        assert [s.record.id for s in store.recent(TASTE, "ann", 3)] == ["t"]

    def test_find_gives_what_is_there_in_the_order_of_the_log(self, store):
        store.append([event(f"e{k}") for k in range(4)])
        found = store.find(["e3", "nobody", "e1", "e3"])
        assert [stored.record.id for stored in found] == ["e1", "e3"]
        assert found == store.read(0, FAR)[1::2]

    def test_slates_come_back_as_they_were_first_kept(self, store):
        store.keep_slates([KeptSlate("s", None, 5, HARD_TO_KEEP)])
        store.keep_slates([slate("s"), slate("t"), slate("t", user="bob")])
        assert store.slate("s") == KeptSlate("s", None, 5, HARD_TO_KEEP)
        assert store.slate("t") == slate("t")

    def test_slates_of_a_user_come_latest_first(self, store):
        store.keep_slates([slate("s2", at=2), slate("s1", at=1), slate("other", user="bob", at=9)])
        store.keep_slates([slate("s3", at=3), slate("nobody's", user=None, at=9)])
        assert [each.id for each in store.slates_of("ann", 2)] == ["s3", "s2"]
        assert [each.id for each in store.slates_of("ann", 9)] == ["s3", "s2", "s1"]

    def test_forgetting_removes_all_about_a_user_and_nothing_else(self, store):
        store.append([event("a"), event("b", user="bob"), event("c"), event("t", kind=TASTE)])
        store.append([event("i", kind=ITEM), event("s", kind=RecordKind.SESSION_EVENT)])
        store.keep_slates([slate("s1"), slate("s2", user="bob"), slate("s3", user=None)])
        assert store.forget("ann") == {"event": 2, "user": 0, "taste": 1, "slate": 1}
        assert ids_of(store) == ["b", "i", "s"]
        assert store.recent(EVENT, "ann", 9) == []
        assert store.find(["a", "c", "t"]) == []
        assert store.slates_of("ann", 9) == []
        assert store.slate("s1") is None
        assert store.slate("s2") == slate("s2", user="bob")
        assert store.forget("ann") == dict.fromkeys([*ABOUT_USERS, "slate"], 0)

    def test_numbers_stay_and_are_never_given_again_after_forgetting(self, store):
        store.append([event("a"), event("b", user="bob"), event("c")])
        last = store.last_seq()
        bob = store.find(["b"])
        store.forget("ann")
        store.compact()
        assert store.last_seq() == last
        assert store.find(["b"]) == bob
        assert store.append([event("a", user="bob")]).is_new == (True,)
        assert store.last_seq() > last
        assert store.read(last, FAR)[0].record == event("a", user="bob")

    def test_a_compacted_store_goes_on(self, store):
        store.append([event(f"e{k}") for k in range(50)])
        store.keep_slates([slate("s")])
        before = store.read(0, FAR)
        store.compact()
        assert store.read(0, FAR) == before
        assert store.slate("s") == slate("s")
        assert store.append([event("new")]).is_new == (True,)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (Record(EVENT, "ann", {}, "half \ud800", 0), "half of a surrogate pair"),
            (event("bad", user="half \udc00"), "half of a surrogate pair"),
            (event("zero \0"), "zero character"),
            (Record(EVENT, "ann", {"x": "\ud800"}, "bad", 0), "body of the record 'bad'"),
            (Record(EVENT, "ann", {"x": float("nan")}, "bad", 0), "body of the record 'bad'"),
            (Record(EVENT, "ann", {"x": [-float("inf")]}, "bad", 0), "body of the record 'bad'"),
            (Record(EVENT, "ann", {"x": 2**65}, "bad", 0), "body of the record 'bad'"),
            (Record(EVENT, "ann", {"x": object()}, "bad", 0), "body of the record 'bad'"),
            (Record(EVENT, "ann", {}, "bad", 2**63), "microsecond"),
        ],
    )
    def test_all_or_nothing_where_one_record_cannot_be_kept(self, store, bad, message):
        with pytest.raises(DataError, match=message):
            store.append([event("good"), bad])
        assert store.read(0, FAR) == []
        assert store.append([event("good")]).is_new == (True,)

    def test_slates_that_cannot_be_kept_are_refused(self, store):
        with pytest.raises(DataError, match="the slate 's'"):
            store.keep_slates([slate("good"), KeptSlate("s", None, 0, {"x": float("nan")})])
        assert store.slate("good") is None

    @pytest.mark.parametrize(
        "ask",
        [
            lambda store, text: store.find([text]),
            lambda store, text: store.recent(EVENT, text, 1),
            lambda store, text: store.slate(text),
            lambda store, text: store.slates_of(text, 1),
            lambda store, text: store.forget(text),
        ],
    )
    @pytest.mark.parametrize("text", ["\ud800", "a\0b"])
    def test_ids_that_cannot_be_kept_cannot_be_asked_for(self, store, ask, text):
        with pytest.raises(DataError, match="the id"):
            ask(store, text)

    def test_ids_are_told_apart_by_every_sign(self, store):
        names = [
            "a",
            "A",
            "a ",
            "é",
            "e\u0301",
            "'; DROP TABLE longtale_records; --",
            "%s",
            "?",
            "",
        ]
        assert all(store.append([event(name, user=name) for name in names]).is_new)
        assert ids_of(store) == names
        for name in names:
            assert [s.record.id for s in store.recent(EVENT, name, 9)] == [name]

    def test_threads_write_at_once_and_nothing_is_lost_or_twice(self, store):
        n_threads, n_batches = 6, 15
        start = Barrier(n_threads)

        def write(thread: int) -> int:
            start.wait()
            n_new = 0
            for batch in range(n_batches):
                # Each batch shares one id with all other threads.
                own = [event(f"{thread}-{batch}-{k}") for k in range(3)]
                n_new += sum(store.append([*own, event(f"shared-{batch}")]).is_new)
            return n_new

        with ThreadPoolExecutor(n_threads) as threads:
            n_new = sum(threads.map(write, range(n_threads)))
        ids = ids_of(store)
        assert len(ids) == len(set(ids)) == n_new == (3 * n_threads + 1) * n_batches

    def test_who_follows_the_log_while_others_write_misses_nothing(self, store):
        n_threads, n_batches = 4, 25
        is_done = Event()

        def follow() -> list[str]:
            seen, after = [], 0
            while True:
                was_done = is_done.is_set()
                # Whoever knows the log up to here must know all records up to here.
                last = store.last_seq()
                for stored in store.read(after, FAR):
                    assert stored.seq > after
                    after = stored.seq
                    seen.append(stored.record.id)
                assert after >= last
                if was_done:
                    return seen

        def write(thread: int) -> None:
            for batch in range(n_batches):
                ids = [f"{thread}-{batch}-{k}" for k in range(batch % 4 + 1)]
                appended = store.append([event(id_) for id_ in ids])
                assert {s.record.id for s in store.read(0, FAR) if s.seq <= appended.seq} >= {*ids}

        with ThreadPoolExecutor(n_threads + 2) as threads:
            followers = [threads.submit(follow) for _ in range(2)]
            writers = [threads.submit(write, thread) for thread in range(n_threads)]
            try:
                for writer in writers:
                    writer.result()
            finally:
                is_done.set()
            assert [f.result() for f in followers] == [ids_of(store)] * 2

    def test_nothing_can_be_asked_of_a_closed_store(self, store):
        store.append([event("a")])
        store.close()
        store.close()
        with pytest.raises(StoreError, match="was closed"):
            store.last_seq()
        with pytest.raises(StoreError, match="was closed"):
            store.append([event("b")])


class SharedStoreLaws(EventStoreLaws):
    """Inherit where several processes may open one store; define the fixture `url`."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, url: str, tmp_path: Path) -> Iterator[EventStore]:
        store = open_store(url, tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def writers(
        self, store: EventStore, url: str, tmp_path: Path
    ) -> Iterator[dict[str, subprocess.Popen[str]]]:
        """Two processes that begin together, and say of each batch that is kept what was new.

        Each batch is four records of their own and one that the other has too.
        """
        started = {
            name: subprocess.Popen(
                [sys.executable, "-c", _WRITER, url, str(tmp_path), name, str(N_BATCHES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in ("first", "second")
        }
        for process in started.values():
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in started.values():
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
        for process in started.values():
            process.kill()
            process.communicate()

    def test_a_store_that_is_opened_again_is_as_it_was(self, store, url, tmp_path):
        store.append([event("a"), event("b", user="bob")])
        store.keep_slates([slate("s")])
        store.forget("bob")
        store.close()
        again = open_store(url, tmp_path)
        assert (ids_of(again), again.last_seq()) == (["a"], 2)
        assert again.slate("s") == slate("s")
        again.close()

    def test_two_processes_write_while_a_third_follows_and_nothing_is_missed(self, store, writers):
        seen: list[str] = []
        after = 0
        while True:
            have_ended = all(process.poll() is not None for process in writers.values())
            for stored in store.read(after, 7):
                after = stored.seq
                seen.append(stored.record.id)
            if have_ended and after == store.last_seq():
                break
        said = {name: process.communicate() for name, process in writers.items()}
        assert [errors for _, errors in said.values()] == ["", ""]
        own = [f"{name}-{b}-{k}" for name in writers for b in range(N_BATCHES) for k in range(4)]
        assert sorted(seen) == sorted([*own, *(f"shared-{b}" for b in range(N_BATCHES))])
        assert seen == ids_of(store)
        n_new = [int(line.split()[1]) for lines, _ in said.values() for line in lines.splitlines()]
        assert sum(n_new) == len(seen)

    def test_batches_of_two_processes_do_not_mix(self, store, writers):
        for process in writers.values():
            process.wait()
        batches = [id_.rpartition("-")[0] for id_ in ids_of(store) if not id_.startswith("shared-")]
        runs = [batch for batch, _ in groupby(batches)]
        assert len(runs) == len(set(runs)) == 2 * N_BATCHES

    def test_what_a_killed_process_was_told_is_kept_and_its_batches_are_whole(self, store, writers):
        told = {}
        for name, process in writers.items():
            lines = [process.stdout.readline() for _ in range(7)]
            process.kill()
            lines += process.communicate()[0].splitlines()
            told[name] = [int(line.split()[0]) for line in lines]
        kept = {*ids_of(store)}
        for name, batches in told.items():
            assert {f"{name}-{b}-{k}" for b in batches for k in range(4)} <= kept
            assert {f"shared-{b}" for b in batches} <= kept
        n_own = sum(not id_.startswith("shared-") for id_ in kept)
        assert n_own % 4 == 0
        assert store.append([event("after")]).is_new == (True,)
