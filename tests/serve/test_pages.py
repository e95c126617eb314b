"""The pages bring all they need: nothing inline, nothing from elsewhere, nothing of the data."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from longtale.serve.headers import SECURITY
from longtale.serve.pages import OPEN

HTML = ("/docs", "/studio")


class Seen(HTMLParser):
    """Notes the tags of a page, their addresses, and what stands inside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self._open: str | None = None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open in ("script", "style"):
            self.inside.append(data.strip())


def seen(client, path: str) -> Seen:
    parser = Seen()
    parser.feed(client.get(path).text)
    return parser


@pytest.mark.parametrize("path", HTML)
def test_a_page_has_no_script_or_style_inline_and_asks_nobody_else(client, path):
    page = seen(client, path)
    assert not any(page.inside)
    for tag, attributes in page.tags:
        assert tag not in ("style", "iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action", "data"):
            address = attributes.get(name) or "/"
            assert re.match(r"/(?!/)|#", address), (tag, address)


@pytest.mark.parametrize("path", HTML)
def test_what_a_page_names_is_there(client, path):
    addresses = [
        attributes[name]
        for _, attributes in seen(client, path).tags
        for name in ("src", "href")
        if attributes.get(name)
    ]
    assert addresses
    for address in addresses:
        assert client.get(address).status_code == 200, address


def test_scripts_and_styles_name_no_other_host_and_run_no_text(client):
    for path in sorted(OPEN):
        text = client.get(path).text
        if path.endswith((".js", ".css")):
            assert not re.search(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}/|url\(|@import", text), path
            assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", text), path


@pytest.mark.parametrize("path", sorted(OPEN))
def test_pages_need_no_key_and_carry_the_headers_of_safety(client, path):
    client.post("/v1/keys", json={"scope": "admin", "name": "x"})
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == (307 if path == "/" else 200)
    for name, value in SECURITY.items():
        assert answer.headers[name.decode()] == value.decode()


@pytest.mark.parametrize("path", HTML)
def test_a_page_can_be_read_by_everybody(client, path):
    page = seen(client, path)
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert "title" in tags
    assert "main" in tags
    assert tags.count("h1") == 1
    labelled = sum(tag == "label" for tag in tags)
    assert labelled >= sum(tag in ("input", "textarea", "select") for tag in tags)


def test_the_home_page_leads_to_the_description(client):
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"
    assert client.get("/openapi.json").json()["openapi"] == "3.1.0"


def test_pages_show_nothing_of_the_data(client, service):
    told = "".join(client.get(path).text for path in sorted(OPEN))
    assert service.engine.world.recommender.version not in told
    assert "The rocket space" not in told
