from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from longtale.errors import StoreError
from longtale.feedback import connections
from longtale.feedback.connections import Connections


@dataclass
class Line:
    number: int
    is_open: bool = True

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def opened() -> list[Line]:
    return []


@pytest.fixture
def lines(opened) -> Connections[Line]:
    def connect() -> Line:
        opened.append(Line(len(opened)))
        return opened[-1]

    return Connections(connect, is_alive=lambda line: line.is_open)


def test_one_connection_serves_one_after_another(lines, opened):
    for _ in range(3):
        with lines.borrowed() as line:
            assert line.number == 0
    assert len(opened) == 1


def test_those_who_borrow_at_once_have_each_their_own(lines):
    with lines.borrowed() as one, lines.borrowed_to_write() as other:
        assert one is not other


def test_after_an_error_a_connection_is_closed_and_replaced(lines, opened):
    with pytest.raises(ValueError, match="wrong"), lines.borrowed():
        raise ValueError("wrong")
    with lines.borrowed() as line:
        assert line.number == 1
    assert [line.is_open for line in opened] == [False, True]


def test_a_connection_that_died_while_it_lay_idle_is_replaced(lines, opened):
    with lines.borrowed():
        pass
    opened[0].is_open = False
    with lines.borrowed() as line:
        assert line.number == 1


def test_closing_closes_all_those_in_use_when_they_come_back(lines, opened):
    with lines.borrowed() as one, lines.borrowed():
        lines.close()
        assert one.is_open
    assert not any(line.is_open for line in opened)
    with pytest.raises(StoreError, match="was closed"), lines.borrowed():
        pass


def test_who_waits_too_long_for_a_turn_is_told(lines, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE_S", 0.02)
    with lines.borrowed_to_write() as line:
        with pytest.raises(StoreError, match="another thread has been writing"):
            lines.borrowed_to_write().__enter__()
        assert line.is_open
    with lines.borrowed_to_write() as line:
        assert line.number == 0


def test_who_waits_too_long_for_a_connection_is_told(lines, opened, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE_S", 0.02)
    with ExitStack() as stack:
        for _ in range(connections.MOST):
            stack.enter_context(lines.borrowed())
        with pytest.raises(StoreError, match="all 8 connections to the store have been in use"):
            lines.borrowed().__enter__()
    with lines.borrowed():
        pass
    assert len(opened) == connections.MOST
