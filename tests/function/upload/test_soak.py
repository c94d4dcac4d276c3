"""Test a real server for long (`make test-soak`): thousands of uploads, its memory, and its real timeouts."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud import storage

from flowers.documents import ERROR_SCHEMA, RESULT_SCHEMA
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, Fault, FaultProxy
from tests.support.pictures import OPTIONS, claim_size, sample
from tests.support.upload_server import acknowledged, check_result, photo, serving
from tests.support.uploads import names, put

BATCH, BATCHES, WARM_UP_BATCHES = 100, 30, 4
CONCURRENCY = 8
# Measured: 8 MiB between 400 and 1,400 uploads, in steps as threads meet their largest picture, then none. A leak of
# 8 kB an upload (a result with its JSON, or the smallest file) adds 20 MiB after the warm-up, one of pixels gigabytes.
MOST_GROWTH_MIB = 16.0
# A call is tried for 20 seconds (`CALL_SECONDS`) and once more for 8 until it times out; the rest is for a busy day.
PATIENCE_SECONDS = 35.0

pytestmark = pytest.mark.soak


def resident_mib(process: int) -> float:
    """Return the memory of a process that is in RAM, MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kibibytes) / 1024


def pictures() -> list[tuple[bytes, str]]:
    """Return 40 images with the kinds of their documents: small ones of all formats, a large one, invalid ones."""
    small = photo(1)
    good = [small, photo(2, 4000), *(sample(kind) for kind in OPTIONS)]
    good += [photo(number, width) for number, width in enumerate([100, 320, 500, 640, 800, 1024] * 4)]
    bad = [small[:900], b"no image", b"", claim_size("PNG", sample("PNG"), 60_000, 60_000), small[2:], b"\xff\xd8\xff"]
    return [*((data, RESULT_SCHEMA) for data in good), *((data, ERROR_SCHEMA) for data in bad)]


def test_thousands_of_uploads_keep_memory_flat(
    storage_server: EmulatedStorage, bucket: storage.Bucket, tmp_path: Path
) -> None:
    kinds = pictures()
    total = BATCH * BATCHES
    with serving(tmp_path, storage_server.url) as server, ThreadPoolExecutor(CONCURRENCY) as threads:
        worker = server.worker()
        resident = [resident_mib(worker)]
        started = time.monotonic()

        def send(number: int) -> list[int]:
            return server.deliver(put(bucket, f"{number:05}", kinds[number % len(kinds)][0]))

        for batch in range(BATCHES):
            statuses = list(threads.map(send, range(batch * BATCH, (batch + 1) * BATCH)))
            assert statuses == [[200]] * BATCH
            resident.append(resident_mib(worker))
        seconds = time.monotonic() - started
        assert server.worker() == worker, "the worker was replaced"
    warm = resident[WARM_UP_BATCHES:]
    first, middle, last = (statistics.median(warm[at : at + 5]) for at in (0, len(warm) // 2 - 2, len(warm) - 5))
    print(f"\n{total} uploads at concurrency {CONCURRENCY} in {seconds:.0f} s; resident memory of the worker in MiB:")
    print(f"before {resident[0]:.0f}, after {WARM_UP_BATCHES * BATCH} {first:.0f}, middle {middle:.0f}, end {last:.0f}")
    print("after each 100: " + " ".join(f"{value:.0f}" for value in resident))
    assert last - first < MOST_GROWTH_MIB
    uploaded = [f"{number:05}" for number in range(total)]
    assert names(bucket) == sorted([*uploaded, *(f"{name}.json" for name in uploaded)])
    blobs = {blob.name: blob for blob in bucket.list_blobs()}
    for number, name in enumerate(uploaded):
        data, schema = kinds[number % len(kinds)]
        check_result(blobs[name], data, schema)


@pytest.mark.parametrize("call", list(Call), ids=lambda call: call.value)
def test_endless_stall_ends_before_timeout(
    storage_server: EmulatedStorage, bucket: storage.Bucket, tmp_path: Path, call: Call
) -> None:
    rose = put(bucket, "rose.jpg", photo(1))
    with FaultProxy(storage_server.url) as proxy, serving(tmp_path, proxy.url) as server:
        proxy.fail("rose.jpg", call, Fault.STALLED)
        started = time.monotonic()
        assert not acknowledged(server.send(rose))
        print(f"\na {call.value} that stalls is given up after {time.monotonic() - started:.1f} s")
        assert time.monotonic() - started < PATIENCE_SECONDS
        proxy.heal("rose.jpg")
        assert server.send(rose) == 200
    check_result(rose, photo(1))
    assert len(proxy.written("rose.jpg")) == 1
