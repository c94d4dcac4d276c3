"""Test many events at once at a real server: of one image, of its generations in any order, of many images.

The proxy delays calls at random, so that they interleave, and records what is written.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud import storage

from flowers.documents import ERROR_SCHEMA, RESULT_SCHEMA
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, Fault, FaultProxy
from tests.support.pictures import OPTIONS, sample
from tests.support.upload_server import UploadServer, acknowledged, check_result, photo, serving
from tests.support.uploads import names, put


@pytest.fixture(scope="module")
def proxy(storage_server: EmulatedStorage) -> Iterator[FaultProxy]:
    """Provide a proxy between the server and its bucket."""
    with FaultProxy(storage_server.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UploadServer]:
    """Provide a server that takes 50 events at once, as many instances together would."""
    with serving(tmp_path_factory.mktemp("concurrency"), proxy.url, THREADS="50") as server:
        yield server


def test_concurrent_deliveries_write_once(server: UploadServer, proxy: FaultProxy, bucket: storage.Bucket) -> None:
    rose = put(bucket, "rose.jpg", photo(1))
    proxy.delay(0.05)
    before = proxy.counts[Call.READ]
    with ThreadPoolExecutor(50) as threads:
        statuses = list(threads.map(server.send, [rose] * 50))
    assert statuses == [200] * 50
    assert proxy.counts[Call.READ] - before > 5, "they came one after the other; this shows nothing"
    assert len(proxy.written("rose.jpg")) == 1
    check_result(rose, photo(1))
    generation = bucket.get_blob("rose.jpg.json").generation
    reads = proxy.counts[Call.READ]
    assert server.send(rose) == 200
    assert bucket.get_blob("rose.jpg.json").generation == generation
    assert proxy.counts[Call.READ] == reads
    assert names(bucket) == ["rose.jpg", "rose.jpg.json"]


@pytest.mark.parametrize("overtaken", [Fault.STALLED, Fault.STALLED_ANSWER])
def test_newer_generation_overtaking_write_stays(
    server: UploadServer, proxy: FaultProxy, bucket: storage.Bucket, overtaken: Fault
) -> None:
    name = f"overtaken-{overtaken.name}.jpg"
    proxy.delay(0)
    proxy.fail(name, Call.WRITE, overtaken, times=1)
    with ThreadPoolExecutor(1) as threads:
        old = threads.submit(server.send, put(bucket, name, photo(1)))
        proxy.wait_until_stalled()
        new = put(bucket, name, photo(2))
        assert server.send(new) == 200
        proxy.release()
        assert old.result() == 200
    check_result(new, photo(2))
    assert len(proxy.written(name)) == (1 if overtaken is Fault.STALLED else 2)


def test_interleaved_generations_end_with_newest(
    server: UploadServer, proxy: FaultProxy, bucket: storage.Bucket
) -> None:
    proxy.delay(0.03)
    flowers = [f"flower-{number}.jpg" for number in range(8)]
    chance = random.Random(11)  # noqa: S311  # chance, not secrecy

    def deliver(image: storage.Blob) -> None:
        assert acknowledged(server.deliver(image)[-1])

    with ThreadPoolExecutor(24) as threads:
        deliveries = []
        newest: dict[str, storage.Blob] = {}
        sent: list[storage.Blob] = []
        for number in range(6):
            for name in flowers:
                newest[name] = put(bucket, name, photo(number))
                # Each event comes twice, and now and then an old one with it.
                sent.append(newest[name])
                deliveries += [threads.submit(deliver, image) for image in (sent[-1], sent[-1], chance.choice(sent))]
            deliveries[-3].result()  # one result of each round at least is there to be replaced by the next
        for delivery in deliveries:
            delivery.result()
    for name in flowers:
        check_result(newest[name], photo(5))
        generations = [write.source_generation for write in proxy.written(name)]
        assert generations == sorted(set(generations)), "a result was replaced by one of the same or an older image"
    assert sum(len(proxy.written(name)) for name in flowers) > len(flowers), "nothing interleaved; this shows nothing"
    assert names(bucket) == sorted([*flowers, *(f"{name}.json" for name in flowers)])


def test_burst_of_images_gets_a_document_each(server: UploadServer, proxy: FaultProxy, bucket: storage.Bucket) -> None:
    proxy.delay(0.01)
    faulty = {"cut.jpg": photo(1)[:900], "text.jpg": b"no image at all"}
    files = {f"burst {number}.jpg": photo(number) for number in range(60)} | faulty
    files |= {f"burst.{kind}": sample(kind) for kind in OPTIONS}
    images = [put(bucket, name, data, "application/octet-stream") for name, data in files.items()]
    twice = images * 2
    random.Random(5).shuffle(twice)  # noqa: S311
    with ThreadPoolExecutor(40) as threads:
        statuses = list(threads.map(server.deliver, twice))
    assert statuses == [[200]] * len(twice)
    for image in images:
        check_result(image, files[image.name], ERROR_SCHEMA if image.name in faulty else RESULT_SCHEMA)
        assert len(proxy.written(image.name)) == 1
    assert names(bucket) == sorted([*files, *(f"{name}.json" for name in files)])
