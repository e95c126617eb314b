"""Every store lists itself here and inherits the laws."""

from __future__ import annotations

import pytest
from tests.contracts.event_store import EventStoreLaws, SharedStoreLaws

from longtale.feedback.memory_store import MemoryStore


class TestMemoryStore(EventStoreLaws):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSQLiteStore(SharedStoreLaws):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:///events.db"


class TestPostgresStore(SharedStoreLaws):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
