"""Test the page as an HTTP answer: who gets it, how it is cached, and what its policy lets run."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from flowers.http.page import load_page
from tests.support.http_contract import ask, client_with

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
MOST_BYTES = 60_000


class Reader(HTMLParser):
    """Collect a page's inline scripts and styles, and all attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the attributes."""
        self._inside = tag if tag in ("script", "style") else ""
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """End a script or style."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Note the content of a script or style."""
        if self._inside:
            self.inline.append((self._inside, data))


def page_of(client: FlaskClient) -> tuple[str, dict[str, str]]:
    """Return the page's text, and its policy by directive."""
    response = client.get("/", headers={"Accept": BROWSER})
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    return response.text, policy


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "text/*", "application/json;q=0.5, text/html"])
def test_client_that_prefers_html_gets_the_page(client: FlaskClient, accept: str) -> None:
    response = client.get("/", headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert "Server-Timing" in response.headers and response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "application/json, text/html", "text/html;q=0.5, */*", "image/png"]
)
def test_other_clients_get_the_description(client: FlaskClient, accept: str | None) -> None:
    reply = ask(client, "GET", "/", headers={} if accept is None else {"Accept": accept})
    assert reply.status == 200
    assert "/openapi.json" in reply.document["paths"]
    assert reply.headers["Vary"] == "Accept"


def test_head_answers_like_get_without_a_body(client: FlaskClient) -> None:
    get, head = (client.open("/", method=method, headers={"Accept": BROWSER}) for method in ("GET", "HEAD"))
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Content-Security-Policy"):
        assert head.headers[name] == get.headers[name]


def test_current_etag_gets_304(client: FlaskClient) -> None:
    first = client.get("/", headers={"Accept": BROWSER})
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        for method in ("GET", "HEAD"):
            again = client.open("/", method=method, headers={"Accept": BROWSER, "If-None-Match": known})
            assert (again.status_code, again.data) == (304, b"")
            assert (again.headers["ETag"], again.headers["Vary"]) == (etag, "Accept")


def test_stale_etag_gets_full_page(client: FlaskClient) -> None:
    etag = client.get("/", headers={"Accept": BROWSER}).headers["ETag"]
    assert client.get("/", headers={"Accept": BROWSER, "If-None-Match": '"other"'}).status_code == 200
    assert ask(client, "GET", "/", headers={"If-None-Match": etag}).status == 200


def test_cors_page_varies_on_origin() -> None:
    client = client_with(cors_allow_origin="https://garden.example")
    for accept in (BROWSER, "*/*"):
        assert set(client.get("/", headers={"Accept": accept}).vary.as_set()) == {"accept", "origin"}


def test_page_is_small_and_whole(client: FlaskClient) -> None:
    text, _ = page_of(client)
    assert len(text.encode()) < MOST_BYTES
    loaded = [entry for entry in Reader(text).attributes if entry[1] in ("src", "href", "srcset", "action", "data")]
    assert loaded
    assert [entry for entry in loaded if not entry[2].startswith(("#", "data:")) and entry[2] != "openapi.json"] == []


def test_policy_allows_only_own_scripts(client: FlaskClient) -> None:
    text, policy = page_of(client)
    inline = Reader(text).inline
    assert {kind for kind, _ in inline} == {"script", "style"}
    for kind in ("script", "style"):
        digests = [hashlib.sha256(content.encode()).digest() for tag, content in inline if tag == kind]
        assert policy[f"{kind}-src"] == " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    assert not re.search(r"unsafe|\*|https?:", " ".join(policy.values()))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert (policy["connect-src"], policy["require-trusted-types-for"]) == ("'self'", "'script'")


def test_page_keeps_its_own_policy(client: FlaskClient) -> None:
    text, _ = page_of(client)
    names = {name for _, name, _ in Reader(text).attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]


def test_page_of_a_service_with_an_archive_says_so() -> None:
    hint = 'data-text="visitHint"'
    assert hint in load_page().text
    assert hint not in load_page(archived=True).text
    assert 'data-text="visitHintArchived"' in load_page(archived=True).text
    assert 'data-text="dropHintArchived"' in load_page(archived=True).text
    assert "<html data-archived" in load_page(archived=True).text and "<html data-archived" not in load_page().text
