"""Make instances of the upload function as the framework serves it, and watch and interrupt their storage calls."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from functions_framework import create_app
from google.cloud import storage

from flowers.cloud.objects import ObjectAddress, StoredObject
from flowers.cloud.storage import Storage
from tests.support.paths import MAIN
from tests.support.tiny_model import tiny_model


class WatchedStorage(Storage):
    """Record the calls of the real adapter. `hooks` of "before read", "after write" … run once, when due.

    A hook gets the call's arguments.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.hooks: dict[str, Callable[..., object]] = {}

    def clear(self) -> None:
        """Forget calls and hooks."""
        self.calls.clear()
        self.hooks.clear()

    @contextmanager
    def _watch(self, call: str, *given: Any, **named: Any) -> Iterator[None]:
        self.calls.append(call)
        if hook := self.hooks.pop(f"before {call}", None):
            hook(*given, **named)
        yield
        if hook := self.hooks.pop(f"after {call}", None):
            hook(*given, **named)

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        with self._watch("look_up", address):
            return super().look_up(address)

    def read(self, stored: StoredObject, most: int) -> bytes:
        with self._watch("read", stored, most):
            return super().read(stored, most)

    def write(self, *given: Any, **named: Any) -> int:
        with self._watch("write", *given, **named):
            return super().write(*given, **named)


def upload_function(**environment: str) -> tuple[FlaskClient, WatchedStorage]:
    """Return another instance of the function, started with these environment variables, and its watched storage."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        watched = WatchedStorage()
        app = create_app("classify_upload", str(MAIN))  # type: ignore[no-untyped-call]
        patch.setattr("flowers.cloud.storage.Storage", lambda: watched)
        assert (
            sys.modules["main"]._upload_function.writer.cloud.storage is watched
        )  # which the module keeps from now on
    return app.test_client(), watched


class UploadCloud(NamedTuple):
    """Hold a new bucket, an instance of the function and its storage, and another instance on the same bucket."""

    bucket: storage.Bucket
    instance: FlaskClient
    watched: WatchedStorage
    other: FlaskClient


def with_tiny_model(folder: Path) -> FlaskClient:
    """Return an instance with another model, of another version."""
    (folder / "tiny.onnx").write_bytes(tiny_model())
    return upload_function(MODEL_PATH=str(folder / "tiny.onnx"), TOP_K="3")[0]
