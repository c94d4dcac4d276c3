"""Test the backfill during uploads, and two at once: each image has one result, written once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud import storage

from tests.support.backfill_program import program
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import FaultProxy
from tests.support.upload_server import acknowledged, check_result, photo, serving
from tests.support.uploads import names, put

OLD, NEW = 120, 60


@pytest.fixture
def proxy(storage_server: EmulatedStorage) -> Iterator[FaultProxy]:
    """Provide a proxy between all programs and the bucket."""
    with FaultProxy(storage_server.url) as proxy:
        yield proxy


def test_two_runs_during_uploads_write_once(bucket: storage.Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    images = {f"old {number}.jpg": photo(number) for number in range(OLD)}
    blobs = {name: put(bucket, name, data) for name, data in images.items()}
    proxy.delay(0.02)
    run = ("--input", f"gs://{bucket.name}/**", "--direct_num_workers", "1")
    with serving(tmp_path, proxy.url) as server, ThreadPoolExecutor(6) as threads:
        at_work = [threads.submit(program, *run, settings={"STORAGE_EMULATOR_HOST": proxy.url}) for _ in range(2)]

        def upload(number: int) -> None:
            name = f"new {number}.jpg" if number % 3 else f"old {number}.jpg"  # a third replace older photos
            images[name] = photo(1000 + number)
            blobs[name] = put(bucket, name, images[name])
            assert acknowledged(server.deliver(blobs[name])[-1])

        list(threads.map(upload, range(NEW)))
        # Events of what the backfill is at: whoever comes first, the other finds it done.
        late = [blobs[f"old {number}.jpg"] for number in range(1, OLD, 2)]
        assert all(acknowledged(statuses[-1]) for statuses in threads.map(server.deliver, late))
        assert [task.result().status for task in at_work] == [0, 0]
    last = program(*run)
    assert last.status == 0
    for name, blob in blobs.items():
        check_result(blob, images[name])
        versions = [write.source_generation for write in proxy.written(name)]
        assert versions == sorted(set(versions)), f"{name} was written twice, or its newer result was replaced"
    assert names(bucket) == sorted([*images, *(f"{name}.json" for name in images)])
