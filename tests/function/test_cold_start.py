"""Test that the log entry of an instance's first answer, and no other, has the duration of the start."""

import json
import logging
import socket
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flowers.log import ColdStart
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import binary_event, post_event
from tests.support.server_process import ServerProcess, clean_environment, framework, free_port

PHASES = ["framework", "imports", "model", "first_answer"]
FOLDER = {"bucket": "garden", "name": "roses/", "generation": "1", "size": "0", "contentType": "text/plain"}


def post_photo(url: str) -> None:
    """Ask for a flower."""
    with urllib.request.urlopen(url, encode(draw_flower(), "JPEG"), timeout=60) as response:
        assert response.status == 200


def post_folder(url: str) -> None:
    """Send the event of a new folder, which needs no storage."""
    assert post_event(url, *binary_event(FOLDER)) == 200


def post_nonsense(url: str) -> None:
    """Send an event that names no object."""
    assert post_event(url, *binary_event({**FOLDER, "generation": "none"})) == 200


def entries_of(
    folder: Path, target: str, ask: Callable[[str], None], log_level: str = "INFO"
) -> tuple[list[dict[str, Any]], float]:
    """Ask a real server twice. Return its log entries about answers, and the milliseconds until the first one."""
    port = free_port()
    started = time.perf_counter()
    server = ServerProcess(framework(target, port), folder / "log", clean_environment(LOG_LEVEL=log_level))

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def entries() -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in server.log.splitlines() if line.startswith("{") and line.endswith("}"))
        return [entry for entry in lines if {"httpRequest", "object", "event_id"} & entry.keys()]

    try:
        server.wait_until(listens, 30)
        ask(f"http://127.0.0.1:{port}/")
        elapsed = (time.perf_counter() - started) * 1000
        ask(f"http://127.0.0.1:{port}/")
        server.wait_until(lambda: len(entries()) >= 2, 10)
        return entries(), elapsed
    finally:
        server.kill()


@pytest.mark.parametrize(("target", "ask"), [("classify_http", post_photo), ("classify_upload", post_folder)])
def test_first_answer_alone_logs_cold_start(tmp_path: Path, target: str, ask: Callable[[str], None]) -> None:
    (first, second), elapsed = entries_of(tmp_path, target, ask)
    assert first["cold_start"] is True
    assert list(first["startup_ms"]) == PHASES
    assert all(milliseconds > 0 for milliseconds in first["startup_ms"].values())
    assert sum(first["startup_ms"].values()) <= elapsed + 10  # the system counts a process's age in hundredths
    assert "cold_start" not in second and "startup_ms" not in second


def test_error_entry_is_no_first_answer(tmp_path: Path) -> None:
    entries, _ = entries_of(tmp_path, "classify_upload", post_nonsense, "ERROR")
    assert [entry["event"] for entry in entries] == ["malformed", "malformed"]
    assert not any("cold_start" in entry for entry in entries)


def record(**fields: Any) -> logging.LogRecord:
    """Return an entry with `fields`."""
    made = logging.makeLogRecord({"msg": "told"})
    made.fields = fields
    return made


def test_concurrent_answers_have_one_first() -> None:
    cold_start = ColdStart()
    records = [record(httpRequest={}) for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(cold_start.filter, records))
    assert sum("cold_start" in told.__dict__["fields"] for told in records) == 1


def test_entry_without_answer_is_unchanged() -> None:
    cold_start = ColdStart()
    plain, archived = logging.makeLogRecord({"msg": "loaded"}), record(event="not_archived")
    assert cold_start.filter(plain) and cold_start.filter(archived)
    assert not hasattr(plain, "fields") and archived.__dict__["fields"] == {"event": "not_archived"}
    first = record(object="gs://garden/rose.jpg")
    assert cold_start.filter(first) and first.__dict__["fields"]["cold_start"] is True
