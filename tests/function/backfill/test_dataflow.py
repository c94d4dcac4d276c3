"""What can be known of Dataflow where there is none: the package of its workers installs, alone, and classifies."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

from google.cloud import storage

from backfill.dataflow import make_package
from tests.support.backfill_program import program
from tests.support.paths import ROOT
from tests.support.server_process import surroundings
from tests.support.upload_server import photo
from tests.support.uploads import put

_CLASSIFY = """
import sys
from pathlib import Path
import backfill.worker, flowers.classifier
from flowers.settings import Settings
assert flowers.classifier.__file__.startswith(sys.argv[1])
print(flowers.classifier.Classifier(Settings()).classify(Path(sys.argv[2]).read_bytes())["schema"])
"""


def test_workers_package_installs_and_classifies(tmp_path: Path) -> None:
    package = make_package(tmp_path)
    place, image = tmp_path / "site", tmp_path / "rose.jpg"
    image.write_bytes(photo(1))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(place)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(package)], check=True, cwd=tmp_path)
    command = [sys.executable, "-c", _CLASSIFY, str(place), str(image)]
    done = subprocess.run(
        command, cwd=tmp_path, env=surroundings(PYTHONPATH=str(place)), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "flowers.result/v1", done.stderr


def test_workers_package_pins_releases(tmp_path: Path) -> None:
    with tarfile.open(make_package(tmp_path)) as archive:
        entries = archive.getnames()
        setup = archive.extractfile("flowers-backfill-1.0/setup.py")
        assert setup is not None
        text = setup.read().decode()
    assert not [name for name in entries if "__pycache__" in name or "main.py" in name]
    pins = (ROOT / "function" / "backfill" / "requirements.txt").read_text().split()
    needed = json.loads(text.partition("install_requires=")[2].partition("]")[0].replace("'", '"') + "]")
    assert {pin.partition("==")[0] for pin in needed} >= {"onnxruntime", "pillow", "pillow-heif"}
    assert set(needed) <= set(pins)


def test_dataflow_job_has_workers_package(bucket: storage.Bucket) -> None:
    """As a template, which Beam writes into the bucket where it would else hand the job in."""
    place = f"gs://{bucket.name}"
    put(bucket, "2025/rose.jpg", photo(1))
    options = ["--runner", "DataflowRunner", "--project", "my-project", "--region", "europe-west1", "--no_auth"]
    places = ["--temp_location", f"{place}/temp", "--template_location", f"{place}/template"]
    run = program("--input", f"{place}/2025/**", *options, *places)  # half a minute of it, Beam looks for an account
    assert run.status == 0, run.error
    made = json.loads(bucket.blob("template").download_as_bytes())
    assert made["type"] == "JOB_TYPE_BATCH"
    assert any(blob.name.endswith("flowers-backfill-1.0.tar.gz") for blob in bucket.list_blobs(prefix="temp"))
    assert "2025/rose.jpg.json" not in [blob.name for blob in bucket.list_blobs()]
