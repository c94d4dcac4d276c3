"""Share an emulated Cloud Storage. Skip the tests of the bundled model if another one is in its place."""

import json
import uuid
from collections.abc import Iterator

import pytest
from google.cloud import storage

from flowers.model.session import Model
from flowers.settings import BUNDLED_MODEL
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.paths import MAIN

REPORT = MAIN.parents[1] / "export" / "reports" / "evaluation.json"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `bundled_model` if the file under `function/` has another name than the reports."""
    about_ours = [item for item in items if item.get_closest_marker("bundled_model")]
    if not about_ours:
        return
    ours, served = json.loads(REPORT.read_text(encoding="utf-8"))["model"]["name"], Model.load(BUNDLED_MODEL).card.name
    if served != ours:
        for item in about_ours:
            item.add_marker(pytest.mark.skip(reason=f"about the model {ours}, but {served} is served"))


@pytest.fixture(scope="session")
def storage_server() -> Iterator[EmulatedStorage]:
    """Run fake-gcs-server, which storage clients find by themselves while the tests run."""
    with EmulatedStorage() as server:
        yield server


@pytest.fixture
def bucket(storage_server: EmulatedStorage) -> storage.Bucket:
    """Return a new, empty bucket."""
    return storage.Client().create_bucket(f"garden-{uuid.uuid4().hex[:12]}")
