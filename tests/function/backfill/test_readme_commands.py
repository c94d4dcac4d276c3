"""Test that the command line accepts the backfill commands of the READMEs."""

import re
import shlex
from pathlib import Path

import pytest

from backfill.command_line import read_command
from tests.support.readmes import all_commands

# What Terraform's output `dataflow_options` gives.
OPTIONS = (
    "--runner DataflowRunner --project my-project --region europe-west1 --temp_location gs://my-bucket/temp"
    " --sdk_container_image image --sdk_location container"
)


@pytest.mark.parametrize("command", all_commands("python -m backfill "))
def test_backfill_command_is_accepted(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    words = re.sub(r"\$\(terraform [^)]*\)", OPTIONS, command.partition("-m backfill ")[2])
    words = words.replace("$BUCKET", "my-bucket").replace("PROJECT", "my-project").replace("REGION", "europe-west1")
    given = read_command(shlex.split(words.replace("STAGING", "my-staging")), {})
    assert given.dry_run == ("--dry-run" in command)
    assert given.on_dataflow == ("DataflowRunner" in words)
