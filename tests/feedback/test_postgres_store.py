from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from tests.feedback.stored import event, files_with, fill
from tests.services import PostgresServer

from longtale.errors import SettingsError, StoreError
from longtale.feedback import postgres_store
from longtale.feedback.postgres_store import PostgresStore


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres_url)
    yield store
    store.close()


def ask(url: str, statement: str) -> list:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_compaction_leaves_no_byte_of_somebody_forgotten_in_the_data_folder(
    store, postgres_url, postgres_server
):
    fill(store, "Wilhelmina")
    ask(postgres_url, "ANALYZE")  # as the server does by itself now and then
    ask(postgres_url, "CHECKPOINT")
    assert files_with("Wilhelmina", postgres_server.data / "base")
    assert files_with("Wilhelmina", postgres_server.data / "pg_wal")
    store.forget("Wilhelmina")
    store.compact()
    assert files_with("other-7", postgres_server.data / "base")
    assert not files_with("Wilhelmina", postgres_server.data)


def test_compaction_without_the_rights_of_an_administrator_cleans_the_tables(
    store, postgres_url, postgres_server, caplog
):
    ask(postgres_url, "CREATE ROLE shop LOGIN")
    ask(postgres_url, "GRANT CREATE ON SCHEMA public TO shop")
    theirs = PostgresStore(postgres_url.replace("longtale@", "shop@"))
    fill(theirs, "Ottilie")
    theirs.forget("Ottilie")
    with caplog.at_level(logging.WARNING, logger="longtale"):
        theirs.compact()
    assert "the write-ahead log was left to the server" in caplog.text
    ask(postgres_url, "CHECKPOINT")
    assert files_with("other-7", postgres_server.data / "base")
    assert not files_with("Ottilie", postgres_server.data / "base")
    theirs.close()


def test_compaction_says_so_where_an_older_transaction_keeps_what_was_removed(store, postgres_url):
    fill(store, "Kunigunde")
    with psycopg.connect(postgres_url) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("SELECT 1")
        store.forget("Kunigunde")
        with pytest.raises(StoreError, match="90 removed rows are still in longtale_records"):
            store.compact()
    store.compact()


def test_compaction_says_so_where_somebody_uses_the_tables(store, postgres_url, monkeypatch):
    monkeypatch.setattr(postgres_store, "_PATIENCE_MS", 100)
    store.append([event("a")])
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM longtale_records")
        with pytest.raises(StoreError, match="somebody uses its tables; try again later"):
            store.compact()
    store.compact()


def test_compaction_says_so_where_the_tables_belong_to_others(store, postgres_url):
    store.append([event("a")])
    ask(postgres_url, "CREATE ROLE clerk LOGIN")
    ask(postgres_url, "GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
    theirs = PostgresStore(postgres_url.replace("longtale@", "clerk@"))
    assert theirs.append([event("b")]).is_new == (True,)
    with pytest.raises(StoreError, match=r"was not cleaned: .* let the owner of the tables do it"):
        theirs.compact()
    theirs.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_ended_is_told_and_found_again_when_it_is_back(
    store, postgres_server: PostgresServer, end
):
    store.append([event("a")])
    getattr(postgres_server, end)()
    try:
        for _ in range(3):
            with pytest.raises(StoreError, match="see that it runs, and that address, user"):
                store.append([event("b")])
            with pytest.raises(StoreError, match="see that it runs, and that address, user"):
                store.read(0, 9)
    finally:
        postgres_server.start()
    assert [stored.record.id for stored in store.read(0, 9)] == ["a"]
    assert store.append([event("b")]).is_new == (True,)


def test_a_server_that_was_away_while_nobody_asked_is_not_noticed(store, postgres_server):
    with ThreadPoolExecutor(4) as threads:  # so that several connections lie idle
        list(threads.map(lambda k: store.append([event(f"e{k}")]), range(8)))
    with postgres_server.stopped():
        pass
    assert store.last_seq() == 8
    assert store.append([event("after")]).is_new == (True,)


def test_a_server_that_hangs_is_told_and_works_again_when_it_goes_on(
    store, postgres_server, monkeypatch
):
    monkeypatch.setattr(postgres_store, "LONGEST_S", 0.3)
    store.append([event("a")])
    with postgres_server.frozen(), pytest.raises(StoreError, match=r"no answer within 0.3 s"):
        store.append([event("b")])
    assert [stored.record.id for stored in store.read(0, 1)] == ["a"]
    assert store.append([event("c")]).is_new == (True,)


def test_a_statement_that_takes_too_long_is_ended(store, postgres_url, monkeypatch):
    store.append([event("a")])
    monkeypatch.setattr(postgres_store, "_OPTIONS", "-c statement_timeout=100")
    hasty = PostgresStore(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE longtale_records")
        with pytest.raises(StoreError, match="it took longer than 5 s; try again later"):
            hasty.read(0, 9)
    assert len(hasty.read(0, 9)) == 1
    hasty.close()


def test_commits_wait_for_the_disk_whatever_the_database_says(postgres_server):
    postgres_url = postgres_server.new_database()
    store = PostgresStore(postgres_url)
    store.last_seq()
    store.close()
    ((name,),) = ask(postgres_url, "SELECT current_database()")
    ask(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    ask(postgres_url, "CREATE TABLE seen (setting text)")
    ask(
        postgres_url,
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
        "VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$",
    )
    ask(
        postgres_url,
        "CREATE TRIGGER look BEFORE INSERT ON longtale_records "
        "FOR EACH ROW EXECUTE FUNCTION look()",
    )
    again = PostgresStore(postgres_url)
    again.append([event("a")])
    again.close()
    assert ask(postgres_url, "SHOW synchronous_commit") == [("off",)]
    assert ask(postgres_url, "SELECT setting FROM seen") == [("on",)]


def test_options_of_the_url_are_kept(postgres_url):
    store = PostgresStore(f"{postgres_url}&options=-c%20search_path%3Dpg_temp,pg_catalog")
    store.append([event("a")])
    assert ask(postgres_url, "SELECT to_regclass('public.longtale_records')") == [(None,)]
    store.close()


def test_a_password_is_never_shown(postgres_server):
    url = postgres_server.url("nowhere").replace("longtale@", "longtale:geheim@")
    with pytest.raises(StoreError, match='database "nowhere" does not exist') as caught:
        PostgresStore(url).last_seq()
    assert "geheim" not in str(caught.value)
    with pytest.raises(SettingsError, match="the URL of the store cannot be read") as caught:
        PostgresStore("postgresql://longtale:geheim@host:port:port/?what")
    assert "geheim" not in str(caught.value)


def test_a_database_that_cannot_keep_every_text_is_refused(postgres_server, postgres_url):
    ask(postgres_url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="keeps text as LATIN1; make one by CREATE DATABASE"):
        PostgresStore(postgres_server.url("latin")).last_seq()


def test_a_store_of_a_newer_version_is_refused(store, postgres_url):
    store.last_seq()
    ask(postgres_url, "UPDATE longtale_clock SET version = 99")
    with pytest.raises(StoreError, match="has version 99, and this Longtale knows versions up to"):
        PostgresStore(postgres_url).last_seq()


def test_many_who_make_the_same_tables_at_once_all_succeed(postgres_server):
    for _ in range(3):
        url = postgres_server.emptied()
        stores = [PostgresStore(url) for _ in range(6)]
        with ThreadPoolExecutor(6) as threads:
            done = [
                threads.submit(store.append, [event(f"e{k}")]) for k, store in enumerate(stores)
            ]
            assert all(appended.result().is_new == (True,) for appended in done)
        assert stores[0].last_seq() == 6
        for store in stores:
            store.close()


def test_who_may_not_make_tables_is_told(postgres_url):
    ask(postgres_url, "CREATE ROLE guest LOGIN")
    store = PostgresStore(postgres_url.replace("longtale@", "guest@"))
    with pytest.raises(StoreError, match="let this user make and write tables there"):
        store.last_seq()
