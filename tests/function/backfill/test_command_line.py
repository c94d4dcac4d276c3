"""Test that an invalid command is reported at once, with what to do, and that Beam's own options are passed on."""

from pathlib import Path

import pytest

from backfill.command_line import read_command
from tests.support.backfill_program import Run, program
from tests.support.emulated_cloud import EmulatedStorage

# Arguments, and words that the message has to have.
WRONG = {
    "no input": ([], ["--input"]),
    "no such folder": (["--input", "nowhere/**"], ["nowhere", "no folder"]),
    "no such bucket": (["--input", "gs://no-such-bucket-here/**"], ["no bucket", "no-such-bucket-here"]),
    "no bucket's name": (["--input", "gs://Garden!/**"], ["Garden!", "bucket"]),
    "another scheme": (["--input", "s3://garden/**"], ["s3://garden", "gs://"]),
    "unquoted pattern": (["--input", "photos/a.jpg", "photos/b.jpg"], ["photos/b.jpg", "quotation marks"]),
    "unknown option": (["--input", "photos/**", "--dryrun"], ["--dryrun", "--help"]),
    "report in no folder": (["--input", "photos/**", "--report", "none/r.html"], ["none", "folder"]),
    "no table": (["--input", "photos/**", "--bigquery", "flowers.table"], ["flowers.table", "my-project:"]),
    "files for Dataflow": (["--input", "photos/**", "--runner", "DataflowRunner"], ["Dataflow", "gs://"]),
    "Dataflow, no container": (
        ["--input", "gs://garden/**", "--runner", "DataflowRunner"],
        ["--sdk_container_image", "make backfill-image"],
    ),
    "Dataflow, no project": (
        ["--input", "gs://garden/**", "--runner", "DataflowRunner", "--sdk_container_image", "image"],
        ["project"],
    ),
    "unknown runner": (["--input", "photos/**", "--runner", "NoRunner"], ["NoRunner"]),
    "bad number": (["--input", "photos/**", "--direct_num_workers", "many"], ["direct_num_workers"]),
}
WRONG_SETTINGS = {
    "RESULT_BUCKET": ("results", ["RESULT_BUCKET", "Unset"]),
    "RESULT_SUFFIX": (".jpg", ["RESULT_SUFFIX"]),
    "MODEL_PATH": ("nowhere.onnx", ["MODEL_PATH"]),
    "TOP_K": ("1000", ["TOP_K", "109 classes"]),
}


def check(run: Run, words: list[str], photos: Path) -> None:
    """Fail unless the run ended with a message that has these words, and did nothing else."""
    assert run.status == 2, run.error
    assert [word for word in words if word not in run.error] == [], run.error
    assert "Traceback" not in run.error
    assert not list(photos.rglob("*.json"))


@pytest.mark.parametrize("name", WRONG)
def test_invalid_command_says_what_to_do(photos: Path, storage_server: EmulatedStorage, name: str) -> None:
    arguments, words = WRONG[name]
    check(program(*arguments, folder=photos.parent), words, photos)


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_invalid_setting_is_named(photos: Path, name: str) -> None:
    value, words = WRONG_SETTINGS[name]
    check(program("--input", str(photos), settings={name: value}), words, photos)


def test_help_shows_usage_and_exit_status() -> None:
    run = program("--help")
    assert run.status == 0
    wanted = [
        "./photos/**",
        "--runner DataflowRunner",
        "--dry-run",
        "--bigquery",
        "--report",
        "exit status",
        "RESULT_SUFFIX",
    ]
    assert [text for text in wanted if text not in run.out] == []


def test_command_line_loads_no_model(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    command = read_command(["--input", str(tmp_path)], {"MODEL_PATH": str(tmp_path / "broken.onnx")})
    assert command.job.model_version == ""
