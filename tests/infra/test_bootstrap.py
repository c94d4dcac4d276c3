"""Test that `make bootstrap` prepares a project, can be repeated, and says what it does. gcloud is a stand-in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import LEFTOVERS, ROOT

# A bucket is there once it was made; the organization's policy is a file.
GCLOUD = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/asked"
case "$*" in
  "storage buckets create"*) touch "$here/bucket" ;;
  "storage buckets describe"*) [ -f "$here/bucket" ] ;;
  "resource-manager org-policies"*) cat "$here/policy" ;;
esac
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Provide the files that `make bootstrap` uses, and a stand-in for gcloud."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=LEFTOVERS)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").write_text(GCLOUD)
    (tmp_path / "bin" / "gcloud").chmod(0o755)
    (tmp_path / "bin" / "policy").write_text(
        '{"constraint": "constraints/iam.allowedPolicyMemberDomains", "listPolicy": {}}'
    )
    return tmp_path


def bootstrap(repository: Path, *arguments: str) -> str:
    """Run `make bootstrap` for a project in europe-west1 and return its output."""
    done = subprocess.run(
        ["make", "--no-print-directory", "bootstrap", "PROJECT=my-project", "REGION=europe-west1", *arguments],  # noqa: S607
        cwd=repository,
        env={**os.environ, "PATH": f"{repository / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(repository: Path) -> list[str]:
    """Return the calls of gcloud since the last time."""
    file = repository / "bin" / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_first_run_makes_what_terraform_needs(repository: Path) -> None:
    output = bootstrap(repository)
    commands = asked(repository)
    assert commands[0].startswith("services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com ")
    assert "eventarc.googleapis.com pubsub.googleapis.com" in commands[0]
    assert "beta services identity create --service=eventarc.googleapis.com --project=my-project" in commands
    assert "beta services identity create --service=pubsub.googleapis.com --project=my-project" in commands
    bucket = "gs://my-project-terraform-state"
    safe = "--uniform-bucket-level-access --public-access-prevention"
    assert f"storage buckets create {bucket} --project=my-project --location=europe-west1 {safe}" in commands
    assert f"storage buckets update {bucket} --versioning" in commands
    variables = (repository / "infra" / "terraform.tfvars").read_text()
    assert 'project_id = "my-project"\nregion     = "europe-west1"\n' in variables
    assert output.endswith("Next: make plan STATE_BUCKET=my-project-terraform-state\n")
    assert "Nothing restricts it" in output


def test_second_run_keeps_bucket_and_variables(repository: Path) -> None:
    bootstrap(repository)
    asked(repository)
    (repository / "infra" / "terraform.tfvars").write_text('project_id = "mine"\n')
    output = bootstrap(repository)
    assert not [command for command in asked(repository) if command.startswith("storage buckets create")]
    assert "gs://my-project-terraform-state is there" in output
    assert (repository / "infra" / "terraform.tfvars").read_text() == 'project_id = "mine"\n'


def test_dry_run_prints_and_changes_nothing(repository: Path) -> None:
    output = bootstrap(repository, "DRY_RUN=1")
    assert asked(repository) == []
    assert not (repository / "infra" / "terraform.tfvars").exists()
    bootstrap(repository)
    said = [line.removeprefix("+ gcloud ") for line in output.splitlines() if line.startswith("+ gcloud ")]
    assert said == [line for line in asked(repository) if not line.startswith("storage buckets describe")]


def test_environment_has_its_own_variables(repository: Path) -> None:
    output = bootstrap(repository, "ENV=dev")
    assert 'name = "flowers-dev"' in (repository / "infra" / "env" / "dev.tfvars").read_text()
    assert not (repository / "infra" / "terraform.tfvars").exists()
    assert "ENV=dev" in output


def test_domain_restricted_sharing_is_reported(repository: Path) -> None:
    (repository / "bin" / "policy").write_text('{"listPolicy": {"allowedValues": ["C0xxxxxxx"]}}')
    assert "Google refuses allow_unauthenticated = true" in bootstrap(repository)


def test_missing_project_is_named(repository: Path) -> None:
    script = repository / "infra" / "bootstrap.sh"
    done = subprocess.run([script, ""], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "PROJECT is missing: make bootstrap PROJECT=" in done.stderr
