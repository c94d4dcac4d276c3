"""Test that a real server leaves it to its callers to close a connection."""

import http.client
import time
from pathlib import Path

from tests.support.drawn_flower import draw_flower, encode
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

# gunicorn's own default closes a connection after 2 seconds.
PAUSE_SECONDS = 3.5


def test_connection_stays_open_after_a_pause(tmp_path: Path) -> None:
    port, photo = free_port(), encode(draw_flower(), "JPEG")
    server = ServerProcess(framework("classify_http", port), tmp_path / "log", clean_environment())
    try:
        server.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 30)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        first, statuses = connection.sock, []
        for pause in (0.0, PAUSE_SECONDS):
            time.sleep(pause)
            connection.request("POST", "/", photo)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            assert connection.sock is first, "the answer closed the connection"
        connection.close()
    finally:
        server.kill()
    assert statuses == [200, 200]
