"""Test what is possible without Dataflow: its container's source classifies, and its job names the container."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from google.cloud import storage

from tests.support.backfill_program import program
from tests.support.paths import ROOT
from tests.support.server_process import clean_environment
from tests.support.upload_server import photo
from tests.support.uploads import put

IMAGE = "europe-west1-docker.pkg.dev/my-project/flowers-functions/backfill-dataflow:1"
_CLASSIFY = """
import sys
from pathlib import Path
import backfill.worker, flowers.classifier
from flowers.settings import Settings
assert flowers.classifier.__file__.startswith(sys.argv[1])
print(flowers.classifier.Classifier(Settings()).classify(Path(sys.argv[2]).read_bytes())["schema"])
"""


def test_container_source_classifies(tmp_path: Path) -> None:
    """Test the files that `backfill-image.sh` gathers, which are /function in the container."""
    (tmp_path / "function").symlink_to(ROOT / "function")
    (tmp_path / "infra").mkdir()
    for name in ("backfill-image.sh", "dataflow.Dockerfile", "python-version"):
        shutil.copy(ROOT / "infra" / name, tmp_path / "infra")
    subprocess.run([tmp_path / "infra" / "backfill-image.sh"], check=True)
    place, image = tmp_path / "infra" / ".build" / "backfill", tmp_path / "rose.jpg"
    image.write_bytes(photo(1))
    command = [sys.executable, "-c", _CLASSIFY, str(place), str(image)]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(PYTHONPATH=str(place)), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "flowers.result/v1", done.stderr


def test_dataflow_job_names_container(bucket: storage.Bucket) -> None:
    """Write the job as a template into the bucket, instead of submitting it."""
    place = f"gs://{bucket.name}"
    put(bucket, "2025/rose.jpg", photo(1))
    options = ["--runner", "DataflowRunner", "--project", "my-project", "--region", "europe-west1", "--no_auth"]
    options += ["--sdk_container_image", IMAGE, "--sdk_location", "container"]
    places = ["--temp_location", f"{place}/temp", "--template_location", f"{place}/template"]
    run = program("--input", f"{place}/2025/**", *options, *places)  # half a minute of it, Beam looks for an account
    assert run.status == 0, run.error
    made = json.loads(bucket.blob("template").download_as_bytes())
    assert made["type"] == "JOB_TYPE_BATCH"
    assert IMAGE in json.dumps(made)
    assert "2025/rose.jpg.json" not in [blob.name for blob in bucket.list_blobs()]
