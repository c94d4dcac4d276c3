"""Test a model in a bucket: it is downloaded at startup and its digest is checked, or startup fails."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from google.cloud import storage

from flowers import __version__
from flowers.classifier import Classifier
from flowers.cloud.objects import ObjectAddress
from flowers.model.session import Model, ModelError
from flowers.settings import BUNDLED_MODEL, Settings, SettingsError
from tests.support.emulated_cloud import EmulatedStorage
from tests.support.paths import ROOT
from tests.support.server_process import free_port
from tests.support.tiny_model import tiny_model

NAME = "models/tiny/1.2.3/flowers.onnx"


def upload(bucket: storage.Bucket, data: bytes, sha256: str | None = "right", name: str = NAME) -> ObjectAddress:
    """Upload a model with its digest, a wrong one, or none."""
    blob = bucket.blob(name)
    if sha256:
        blob.metadata = {"sha256": hashlib.sha256(data).hexdigest() if sha256 == "right" else sha256}
    blob.upload_from_string(data, "application/octet-stream")
    return ObjectAddress(bucket.name, name)


@pytest.mark.parametrize("text", ["gs://", "gs://bucket", "gs://bucket/", "gs://No_Bucket!/m.onnx", "gs:///m.onnx"])
def test_invalid_address_fails_startup(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^MODEL_PATH=.*gs://bucket/name"):
        Settings.from_environment({"MODEL_PATH": text})


def test_object_is_served_as_a_file_is(bucket: storage.Bucket) -> None:
    data = tiny_model()
    address = upload(bucket, data)
    settings = Settings.from_environment({"MODEL_PATH": address.uri})
    assert settings.model_path == address
    assert Classifier(settings).identity == {
        "name": "tiny",
        "version": "1.2.3",
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_missing_object_is_named(bucket: storage.Bucket) -> None:
    with pytest.raises(ModelError, match=f"gs://{bucket.name}/no.onnx: there is no such object"):
        Model.load(ObjectAddress(bucket.name, "no.onnx"))


@pytest.mark.parametrize(("sha256", "message"), [("0" * 64, "not 0000"), (None, "no sha256.*python -m export convert")])
def test_object_without_its_digest_is_refused(bucket: storage.Bucket, sha256: str | None, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.load(upload(bucket, tiny_model(), sha256))


def test_object_that_is_no_model_is_named(bucket: storage.Bucket) -> None:
    with pytest.raises(ModelError, match=f"cannot load the model gs://{bucket.name}/{NAME}"):
        Model.load(upload(bucket, b"This is no model.\n"))


def test_unavailable_storage_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("flowers.cloud.storage._RETRY", None)
    with pytest.raises(ModelError, match=r"gs://garden/m\.onnx: Cloud Storage is unavailable"):
        Model.load(ObjectAddress("garden", "m.onnx"))


@contextmanager
def started(model_path: str, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Run functions-framework's production server in a process of its own while the block runs."""
    framework = Path(sys.executable).with_name("functions-framework")
    command = [str(framework), "--source", "function/main.py", "--target", "classify_http", "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "MODEL_PATH": model_path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            yield server
        finally:
            server.terminate()


def test_model_in_bucket_shows_its_version(bucket: storage.Bucket, jpeg: bytes) -> None:
    data, port = tiny_model(), free_port()
    expected = {"name": "tiny", "version": "1.2.3", "sha256": hashlib.sha256(data).hexdigest()}
    with started(upload(bucket, data).uri, port) as server:
        for _ in range(300):
            time.sleep(0.1)
            try:
                health = requests.get(f"http://127.0.0.1:{port}/health", timeout=10)
                break
            except requests.ConnectionError:
                assert server.poll() is None, server.stdout and server.stdout.read()
        assert health.json() == {"status": "ok", "version": __version__, "model": expected}
        result = requests.post(f"http://127.0.0.1:{port}/", jpeg, timeout=10).json()
        assert result["model"] == expected
        assert len(result["predictions"]) == 3  # of three classes, with the default TOP_K


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_invalid_model_fails_startup(bucket: storage.Bucket, fault: str) -> None:
    if fault == "damaged":
        upload(bucket, tiny_model(), sha256="0" * 64)
    with started(f"gs://{bucket.name}/{NAME}", free_port()) as server:
        output, _ = server.communicate(timeout=30)
    assert server.returncode != 0
    assert f"cannot load the model gs://{bucket.name}/{NAME}" in output


def test_bundled_model_needs_no_storage(storage_server: EmulatedStorage) -> None:
    script = (
        "import sys; from flowers.classifier import Classifier; from flowers.settings import Settings; "
        "Classifier(Settings()); assert 'google.cloud.storage' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT / "function", check=True, timeout=60)
    assert isinstance(Settings().model_path, Path)
    assert Settings().model_path == BUNDLED_MODEL


def test_top_k_above_few_classes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_model())
    assert Classifier(Settings(model_path=file)).default_top == 3
    assert Classifier(Settings(model_path=file, top_k=2)).default_top == 2
    with pytest.raises(SettingsError, match="TOP_K=4: the model tiny has 3 classes"):
        Classifier(Settings(model_path=file, top_k=4))
