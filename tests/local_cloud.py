"""Run the upload path on one machine, without an account: a bucket, the function, and the events between them.

make local-cloud                              # starts all of it; Ctrl-C ends it
python -m tests.local_cloud put photo.jpg     # in another shell: uploads, waits, prints the result
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from google.cloud import storage

from tests.support.emulated_cloud import EmulatedStorage, binary_event, description, post_event
from tests.support.server_process import framework, free_port

BUCKET = "garden"
STORAGE_PORT = 9023
_POLL_SECONDS = 0.25
_END_SECONDS = 5.0
_PUT_SECONDS = 60.0
_WELCOME = """
The bucket gs://{bucket} is watched. Upload a photo from another shell in this folder:

    {put} -m tests.local_cloud put photo.jpg

or with any Cloud Storage client, after: export STORAGE_EMULATOR_HOST={url}
Its result appears here, and in the bucket as photo.jpg.json. Ctrl-C ends all of this; nothing is kept.
"""


@contextmanager
def upload_function(port: int) -> Iterator[None]:
    """Serve `classify_upload` with functions-framework on `port`, with the settings of this environment."""
    # Ctrl-C is for this process, in a group of its own; it ends the other.
    process = subprocess.Popen(framework("classify_upload", port), process_group=0)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


class Eventarc:
    """Watch a bucket and send an event for each new generation until it is acknowledged."""

    def __init__(self, bucket: storage.Bucket, url: str) -> None:
        self._bucket = bucket
        self._url = url
        self._seen: set[tuple[str, int]] = set()
        self._stopped = threading.Event()
        self._senders = ThreadPoolExecutor(max_workers=8)

    def watch(self) -> None:
        """Send events, and print the results that appear, until it is interrupted."""
        try:
            while True:
                for blob in self._bucket.client.list_blobs(self._bucket):
                    if (blob.name, blob.generation) not in self._seen:
                        self._seen.add((blob.name, blob.generation))
                        self._senders.submit(self._deliver, blob)
                time.sleep(_POLL_SECONDS)
        finally:
            self._stopped.set()
            self._senders.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, blob: storage.Blob) -> None:
        if "result-schema" in (blob.metadata or {}):
            print(f"\ngs://{BUCKET}/{blob.name}\n{blob.download_as_text()}", flush=True)
        pause = 0.25
        while not self._acknowledged(blob) and not self._stopped.wait(pause):
            pause = min(2 * pause, 30)

    def _acknowledged(self, blob: storage.Blob) -> bool:
        try:
            return 200 <= post_event(self._url, *binary_event(description(blob))) < 300
        except OSError:  # not up yet
            return False


def start(storage_port: int) -> None:
    """Run all of it until it is interrupted."""
    function_port = free_port()
    try:
        with EmulatedStorage(storage_port) as server:
            bucket = storage.Client().create_bucket(BUCKET)
            with upload_function(function_port):
                print(_WELCOME.format(bucket=BUCKET, put=os.path.relpath(sys.executable), url=server.url), flush=True)
                Eventarc(bucket, f"http://127.0.0.1:{function_port}/").watch()
    except RuntimeError as error:
        sys.exit(f"The bucket could not start: {error}. Give another port: --port")
    except KeyboardInterrupt:
        print("\nended", flush=True)


def put(files: Sequence[Path]) -> None:
    """Upload photos and print the document that appears beside each."""
    os.environ.setdefault("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{STORAGE_PORT}")
    suffix = os.environ.get("RESULT_SUFFIX") or ".json"
    bucket = storage.Client().bucket(BUCKET)
    for file in files:
        blob = bucket.blob(file.name)
        try:
            blob.upload_from_filename(file, retry=None)
        except OSError as error:
            sys.exit(f"{file} was not uploaded; is `make local-cloud` running in another shell?\n{error}")
        print(json.dumps(_wait_for_result(bucket, blob, suffix), ensure_ascii=False, indent=1))


def _wait_for_result(bucket: storage.Bucket, photo: storage.Blob, suffix: str) -> object:
    deadline = time.monotonic() + _PUT_SECONDS
    while time.monotonic() < deadline:
        result = bucket.get_blob(photo.name + suffix)
        if result and (result.metadata or {}).get("source-generation") == str(photo.generation):
            return json.loads(result.download_as_bytes())
        time.sleep(_POLL_SECONDS)
    sys.exit(f"{photo.name} is uploaded, but {photo.name}{suffix} has not appeared; see the function's log.")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.local_cloud", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True, dest="command")
    starting = commands.add_parser("start", help="start the bucket, the function and the events")
    starting.add_argument("--port", type=int, default=STORAGE_PORT, help="the bucket's port (default: %(default)s)")
    putting = commands.add_parser("put", help="upload photos and print their results")
    putting.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "put":
        put(arguments.files)
    else:
        start(arguments.port)


if __name__ == "__main__":
    main()
