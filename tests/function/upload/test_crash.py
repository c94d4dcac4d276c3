"""Test that a server killed during a burst of uploads, and restarted, loses no result and tears none."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud import storage

from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, Fault, FaultProxy
from tests.support.upload_server import acknowledged, check_result, photo, serving
from tests.support.uploads import names, put

IMAGES = 40


@pytest.mark.parametrize("killed_after", [2, 25])
def test_kill_in_burst_leaves_one_result_each(
    storage_server: EmulatedStorage, bucket: storage.Bucket, tmp_path: Path, killed_after: int
) -> None:
    files = {f"photo-{number}.jpg": photo(number) for number in range(IMAGES)}
    images = [put(bucket, name, data) for name, data in files.items()]
    with FaultProxy(storage_server.url) as proxy:
        proxy.delay(0.05)
        enough = threading.Semaphore(0)
        with serving(tmp_path, proxy.url) as server, ThreadPoolExecutor(8) as threads:

            def send(number: int) -> int:
                status = server.send(images[number])
                enough.release()
                return status

            sent = [threads.submit(send, number) for number in range(IMAGES)]
            for _ in range(killed_after):
                assert enough.acquire(timeout=30)
            server.kill()
            statuses = [delivery.result() for delivery in sent]
        done = [number for number, status in enumerate(statuses) if acknowledged(status)]
        lost = [number for number, status in enumerate(statuses) if status == 0]
        assert len(done) + len(lost) == IMAGES
        assert killed_after <= len(done) < IMAGES
        for number in done:
            check_result(images[number], files[images[number].name])
        with serving(tmp_path, proxy.url) as server, ThreadPoolExecutor(8) as threads:
            again = [images[number] for number in (*lost, *done[:10])]
            assert list(threads.map(server.deliver, again)) == [[200]] * len(again)
    for image in images:
        check_result(image, files[image.name])
        assert len(proxy.written(image.name)) == 1
    assert names(bucket) == sorted([*files, *(f"{name}.json" for name in files)])


def test_kill_in_any_step_loses_nothing(
    storage_server: EmulatedStorage, bucket: storage.Bucket, tmp_path: Path
) -> None:
    steps = [(call, fault) for call in Call for fault in (Fault.STALLED, Fault.STALLED_ANSWER)]
    files = {f"{call.value}-{fault.name}.jpg": photo(number) for number, (call, fault) in enumerate(steps)}
    images = [put(bucket, name, data) for name, data in files.items()]
    with FaultProxy(storage_server.url) as proxy:
        for image, (call, fault) in zip(images, steps, strict=True):
            proxy.fail(image.name, call, fault, times=1)
        with serving(tmp_path, proxy.url) as server, ThreadPoolExecutor(len(steps)) as threads:
            sent = [threads.submit(server.send, image) for image in images]
            proxy.wait_until_stalled(len(steps))
            server.kill()
            assert [delivery.result() for delivery in sent] == [0] * len(steps)
        written = [name for name in names(bucket) if name.endswith(".json")]
        assert written == [f"{Call.WRITE.value}-{Fault.STALLED_ANSWER.name}.jpg.json"]
        with serving(tmp_path, proxy.url) as server:
            assert [server.send(image) for image in images] == [200] * len(steps)
            for image in images:
                check_result(image, files[image.name])
            # What the dead server had on the way arrives after all.
            proxy.release()
            assert [server.send(image) for image in images] == [200] * len(steps)
    for image in images:
        check_result(image, files[image.name])
        assert len(proxy.written(image.name)) == 1
