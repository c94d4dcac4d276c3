"""What the tests of the function share: the framework's own app, and pictures with real bytes."""

import io
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from functions_framework import create_app
from google.cloud import storage
from PIL import Image

from tests.emulated_cloud import EmulatedStorage
from tests.function.upload_instances import Cloud, WatchedStorage, upload_function

ROOT = Path(__file__).parents[2]
FLOWERS102 = ROOT.parent / "shared" / "flowers102"

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def client() -> Iterator[FlaskClient]:
    """A client of the function as functions-framework loads and serves it."""
    app = create_app("classify_http", str(ROOT / "function" / "main.py"), "http")  # type: ignore[no-untyped-call]
    with app.test_client() as client:
        yield client


def draw_flower(width: int = 320, height: int = 240) -> Image.Image:
    """A drawn flower, RGB: eight violet petals about a yellow heart on green, left of the middle, not symmetrical."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (x - width * 0.4) / height, (y - height * 0.5) / height
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (40, 120, 50)
    pixels[..., 1] += (y / height * 60).astype(np.uint8)
    pixels[radius < 0.38 * (0.65 + 0.35 * np.cos(4 * angle) ** 2)] = (150, 70, 190)
    pixels[radius < 0.1] = (240, 200, 40)
    return Image.fromarray(pixels)


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    """The image's file bytes in `format`, a name that Pillow (or pillow-heif) can save."""
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def storage_server() -> Iterator[EmulatedStorage]:
    """fake-gcs-server, which storage clients find by themselves while the tests run."""
    with EmulatedStorage() as server:
        yield server


@pytest.fixture
def bucket(storage_server: EmulatedStorage) -> storage.Bucket:
    """A new, empty bucket."""
    return storage.Client().create_bucket(f"garden-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def instances(storage_server: EmulatedStorage) -> tuple[FlaskClient, WatchedStorage, FlaskClient]:
    """Two instances of the upload function, the first of them watched."""
    return *upload_function(), upload_function()[0]


@pytest.fixture
def cloud(bucket: storage.Bucket, instances: tuple[FlaskClient, WatchedStorage, FlaskClient]) -> Iterator[Cloud]:
    """A bucket and two instances at work on it; the test fails when a hook is left."""
    instances[1].clear()
    yield Cloud(bucket, *instances)
    assert not instances[1].hooks


@pytest.fixture
def versioned(cloud: Cloud) -> Cloud:
    """The same with a bucket that keeps old generations."""
    bucket = storage.Client().bucket(f"versions-{uuid.uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    bucket.create()
    return cloud._replace(bucket=bucket)


@pytest.fixture
def flower() -> Image.Image:
    """A drawn flower, 320 × 240."""
    return draw_flower()


@pytest.fixture
def jpeg(flower: Image.Image) -> bytes:
    """The drawn flower as a baseline JPEG file."""
    return encode(flower, "JPEG", quality=90)


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Photographs of the data set, one a species; the test is skipped where the data set is absent."""
    folders = sorted(path for path in (FLOWERS102 / "valid").glob("*") if path.is_dir())
    if not folders:
        pytest.skip(f"needs the photographs of {FLOWERS102}")
    return [min(folder.glob("*.jpg")) for folder in folders]
