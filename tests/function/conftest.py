"""Share the framework's own app, and pictures with real bytes, among the tests of the function."""

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from functions_framework import create_app
from google.cloud import storage
from PIL import Image

from flowers.cloud import pubsub as topic
from tests.support.drawn_flower import draw_flower, encode
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.failing_pubsub import FailingPubSub
from tests.support.paths import FLOWERS102, MAIN
from tests.support.pubsub_emulator import Emulator
from tests.support.upload_instances import UploadCloud, WatchedStorage, upload_function

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def client() -> Iterator[FlaskClient]:
    """Return a client of the function as functions-framework loads and serves it."""
    app = create_app("classify_http", str(MAIN), "http")  # type: ignore[no-untyped-call]
    with app.test_client() as client:
        yield client


@pytest.fixture(scope="session")
def instances(storage_server: EmulatedStorage) -> tuple[FlaskClient, WatchedStorage, FlaskClient]:
    """Return two instances of the upload function, the first of them watched."""
    return *upload_function(), upload_function()[0]


@pytest.fixture
def cloud(bucket: storage.Bucket, instances: tuple[FlaskClient, WatchedStorage, FlaskClient]) -> Iterator[UploadCloud]:
    """Provide a bucket and two instances at work on it; the test fails if a hook is left."""
    instances[1].clear()
    yield UploadCloud(bucket, *instances)
    assert not instances[1].hooks


@pytest.fixture
def versioned(cloud: UploadCloud) -> UploadCloud:
    """Return the same with a bucket that keeps old generations."""
    bucket = storage.Client().bucket(f"versions-{uuid.uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    bucket.create()
    return cloud._replace(bucket=bucket)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """Provide Google's emulator. Skip the test if it is not installed."""
    if Emulator.program() is None:
        pytest.skip("needs Google's Pub/Sub emulator: gcloud components install pubsub-emulator, and Java")
    with Emulator() as running:
        yield running


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingPubSub]:
    """Provide a Pub/Sub that fails on demand, with shortened timeouts."""
    monkeypatch.setattr(topic, "_TIMEOUT", (0.5, 0.5))
    retry = topic._RETRY.with_delay(initial=0.02, maximum=0.1, multiplier=2.0).with_timeout(1.0)
    monkeypatch.setattr(topic, "_RETRY", retry)
    with FailingPubSub() as running:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.host)
        yield running


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Return the function's warnings, whether or not an entry point has set up its log."""
    monkeypatch.setattr(logging.getLogger("flowers"), "propagate", True)
    caplog.set_level(logging.WARNING, "flowers")
    return caplog


@pytest.fixture
def flower() -> Image.Image:
    """Return a drawn flower, 320 × 240."""
    return draw_flower()


@pytest.fixture
def jpeg(flower: Image.Image) -> bytes:
    """Return the drawn flower as a baseline JPEG file."""
    return encode(flower, "JPEG", quality=90)


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Return photographs of the data set, one per species. Skip the test without the data set."""
    folders = sorted(path for path in (FLOWERS102 / "valid").glob("*") if path.is_dir())
    if not folders:
        pytest.skip(f"needs the photographs of {FLOWERS102}")
    return [min(folder.glob("*.jpg")) for folder in folders]
