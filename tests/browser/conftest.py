"""Provide a real Chromium, a real server process, and a page that may talk to no other host."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.drawn_flower import draw_flower, encode
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

READY_SECONDS = 30.0
# Without the last four, Chromium looks for its maker's servers by itself.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Service(NamedTuple):
    """Hold the address of a serving function; `url` ends in a slash."""

    url: str

    def ask(self, picture: bytes, query: str = "lang=en&heatmap=1") -> dict[str, Any]:
        """Return the function's document for a picture, a result or an error."""
        request = urllib.request.Request(f"{self.url}?{query}", picture, {"Content-Type": "image/x-any"})
        try:
            with urllib.request.urlopen(request) as response:
                document: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                document = json.load(error)
        return document

    def species(self) -> list[dict[str, Any]]:
        """Return the species that the function knows."""
        with urllib.request.urlopen(f"{self.url}species") as response:
            species: list[dict[str, Any]] = json.load(response)["species"]
        return species


@contextmanager
def serving(**settings: str) -> Iterator[Service]:
    """Serve the function with functions-framework, in a process of its own."""
    port = free_port()
    service = Service(f"http://127.0.0.1:{port}/")
    with TemporaryDirectory() as folder:
        server = ServerProcess(framework("classify_http", port), Path(folder) / "log", clean_environment(**settings))
        try:
            server.wait_until(lambda: answers(service.url + "health"), READY_SECONDS)
            yield service
        finally:
            server.kill()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """Provide the function without a threshold, so that it identifies drawn flowers."""
    with serving(REJECT_BELOW="0") as service:
        yield service


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Provide a headless Chromium. Skip the test if none is installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """Open the page as a visitor would. Record the page's requests and complaints."""

    def __init__(self, browser: Browser, home: Service) -> None:
        self._browser = browser
        self._home = home
        self.contexts: list[BrowserContext] = []
        self.asked: list[str] = []
        self.complaints: list[str] = []

    def open(self, query: str = "", service: Service | None = None, width: int = 1280, **options: Any) -> Page:
        """Return the page once it knows its species; `options` are those of a browser context."""
        context = self._browser.new_context(viewport={"width": width, "height": 800}, **{"locale": "en-GB"} | options)
        self.contexts.append(context)
        context.set_default_timeout(10_000)
        context.on("request", lambda request: self.asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        page.on("console", lambda line: self._hear(line.type, line.text))
        page.goto((service or self._home).url + query)
        page.wait_for_selector("#species-list li", state="attached")
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def foreign(self) -> list[str]:
        """Return the requested addresses that are not on this machine."""
        return [url for url in self.asked if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))]


@pytest.fixture
def visit(browser: Browser, service: Service) -> Iterator[Visit]:
    """Open pages. Fail if one sent a request to another host, or if a script or policy complained."""
    visit = Visit(browser, service)
    yield visit
    for context in visit.contexts:
        context.close()
    assert visit.asked
    assert visit.foreign() == []
    assert visit.complaints == []


@pytest.fixture
def page(visit: Visit) -> Page:
    """Return the page in English, at a laptop's size."""
    return visit.open()


@pytest.fixture(scope="session")
def rose() -> bytes:
    """Return a drawn flower as a JPEG file that is small enough to be sent as it is."""
    return encode(draw_flower(400, 300), "JPEG", quality=90)


@pytest.fixture(scope="session")
def lily() -> bytes:
    """Return another drawn flower, in portrait format."""
    return encode(draw_flower(300, 400), "PNG")
