"""Test that a real server's memory stays within its pixel budget, whichever of its threads decode."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from PIL import Image

from tests.support.drawn_flower import draw_flower, encode
from tests.support.server_process import ServerProcess, answers, clean_environment, framework, free_port

SIDE, THREADS = 5000, 8
PIXELS = SIDE * SIDE
# Pillow's WebP decoder takes 15.3 bytes a pixel, measured: its canvas twice, a copy of its bytes, the picture itself.
MAX_BYTES_PER_PIXEL = 20


def peak_mib(process: int) -> float:
    """Return the peak resident memory of a process, MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")
def test_threads_free_memory_of_large_pictures(tmp_path: Path) -> None:
    large = draw_flower().resize((SIDE, SIDE), Image.Resampling.NEAREST)
    port = free_port()
    settings = clean_environment(THREADS=str(THREADS), PIXEL_BUDGET=str(PIXELS))
    server, url = (
        ServerProcess(framework("classify_http", port), tmp_path / "log", settings),
        f"http://127.0.0.1:{port}",
    )

    def send(data: bytes) -> int:
        # A slow machine answers 503 to an image that waits too long for its turn: a client sends it again.
        deadline = time.monotonic() + 300
        while True:
            try:
                with urlopen(Request(url, data, method="POST"), timeout=60) as response:
                    status: int = response.status
                    return status
            except HTTPError as error:
                if error.code != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(int(error.headers["Retry-After"]))

    try:
        server.wait_until(lambda: answers(f"{url}/health"), 30)
        with ThreadPoolExecutor(THREADS) as threads:
            small = encode(draw_flower(), "WEBP")
            assert set(threads.map(send, [small] * THREADS * 2)) == {200}  # all threads run, all imports are made
            before = max(map(peak_mib, server.processes()))
            data = encode(large, "WEBP", quality=30, method=0)
            assert set(threads.map(send, [data] * THREADS * 3)) == {200}
            taken = max(map(peak_mib, server.processes())) - before
    finally:
        server.kill()
    assert taken < MAX_BYTES_PER_PIXEL * PIXELS / 2**20, f"{taken:.0f} MiB for {PIXELS:,} pixels at a time"
