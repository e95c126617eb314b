from __future__ import annotations

import pytest
from tests.services import WITHOUT, program


def test_a_test_that_lacks_its_server_fails_and_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(WITHOUT, raising=False)
    with pytest.raises(pytest.fail.Exception, match=r"no-such-server is not.*: make services"):
        program("no-such-server")


def test_a_test_that_lacks_its_server_is_skipped_only_where_that_is_asked_for(monkeypatch):
    monkeypatch.setenv(WITHOUT, "1")
    with pytest.raises(pytest.skip.Exception, match="no-such-server is not installed"):
        program("no-such-server")
