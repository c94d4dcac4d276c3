"""Test that cloudbuild.yaml follows its schema, runs the Makefile's targets, and deploys only what was tested."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import LEFTOVERS, ROOT, Planned

CLOUDBUILD = ROOT / "cloudbuild.yaml"
BACKFILL_IMAGE = ROOT / "infra" / "backfill-image.yaml"
BUILD: dict[str, Any] = yaml.safe_load(CLOUDBUILD.read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in BUILD["steps"]}


def problems(file: Path, schema: str = "vendor.cloudbuild") -> list[str]:
    """Return the errors of a file by one of check-jsonschema's schemas."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        schema,
        "-o",
        "json",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return [error["message"] for error in json.loads(done.stdout)["errors"]]


@pytest.mark.parametrize("file", [CLOUDBUILD, BACKFILL_IMAGE], ids=lambda file: file.name)
def test_cloudbuild_keeps_its_schema(file: Path) -> None:
    assert problems(file) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("waitFor: [deploy]", "waitfor: [deploy]"),
        ("timeout: 3600s", "timeout: [3600]"),
        ("logging: CLOUD_LOGGING_ONLY", "logging: SOMEWHERE"),
        ("    name: python:3.13", "    image: python:3.13"),
    ],
)
def test_schema_finds_a_mistake(right: str, wrong: str, tmp_path: Path) -> None:
    text = CLOUDBUILD.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "cloudbuild.yaml").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert problems(tmp_path / "cloudbuild.yaml")


def before(step: str) -> set[str]:
    """Return the steps that a step waits for, directly or indirectly."""
    direct = set(STEPS[step].get("waitFor", []))
    return direct.union(*(before(name) for name in direct))


def test_deployment_follows_tests_and_plan() -> None:
    assert {"test", "test-deployment", "plan", "note-revisions", "backfill-image", "keep-sbom"} <= before("deploy")
    assert before("roll-back-on-failure") == set(STEPS) - {"roll-back-on-failure"}


def test_every_make_target_exists() -> None:
    made = set(re.findall(r"\bmake ([a-z -]+?)(?: [A-Z_]+=| *$)", CLOUDBUILD.read_text(encoding="utf-8"), re.MULTILINE))
    targets = {target for line in made for target in line.split()}
    assert targets >= {"lint", "test", "test-infra", "plan", "deploy", "smoke"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_substitution_has_a_default_and_is_used() -> None:
    for file in (CLOUDBUILD, BACKFILL_IMAGE):
        build = yaml.safe_load(file.read_text(encoding="utf-8"))
        used = set(re.findall(r"\$\{(_[A-Z_]+)\}", json.dumps(build["steps"])))
        assert used == set(build["substitutions"])
        documented = set(re.findall(r"^#   (_[A-Z_]+) ", file.read_text(encoding="utf-8"), re.MULTILINE))
        assert documented == used


def test_every_substitution_is_set_by_the_triggers(full_plan: dict[str, Any], planned: Planned) -> None:
    triggers = planned(full_plan, "google_cloudbuild_trigger")
    assert set(triggers) == {"this[deploy]", "this[plan]"}
    for trigger in triggers.values():
        assert set(trigger["substitutions"]) == set(BUILD["substitutions"])


def test_python_is_of_one_version_everywhere() -> None:
    version = (ROOT / "infra" / "python-version").read_text().strip()
    assert {step["name"] for step in BUILD["steps"] if step["name"].startswith("python:")} == {f"python:{version}"}
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
    assert "python-version-file: infra/python-version" in workflow
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    oldest = re.findall(r"sys.version_info < \((\d+), (\d+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {job["container"] for job in ci["jobs"].values()} == {
        f"python:{version}",
        *map("python:{0[0]}.{0[1]}".format, oldest),
    }


def test_lock_names_a_release_of_each_provider() -> None:
    versions = (ROOT / "infra" / "versions.tf").read_text(encoding="utf-8")
    wanted = dict(re.findall(r'source  = "([a-z/]+)"\n +version = "~> ([\d.]+)"', versions))
    lock = (ROOT / "infra" / ".terraform.lock.hcl").read_text(encoding="utf-8")
    locked = dict(
        re.findall(r'^provider "registry.terraform.io/([a-z/]+)" \{\n +version += "([\d.]+)"', lock, re.MULTILINE)
    )
    assert set(locked) == set(wanted)
    for provider, constraint in wanted.items():
        assert locked[provider].startswith(constraint.partition(".")[0] + ".")
        assert [*map(int, locked[provider].split("."))] >= [*map(int, constraint.split("."))]


def workflow_runs(job: str) -> list[str]:
    """Return the commands that a job of the GitHub workflow runs."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8"))
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]


def test_github_workflow_keeps_its_schema() -> None:
    assert problems(ROOT / ".github" / "workflows" / "deploy.yml", "vendor.github-workflows") == []


def test_github_deploys_from_main_only() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8"))
    assert workflow[True]["push"] == {"branches": ["main"]}  # YAML 1.1 reads the key `on` as true
    assert "environment" not in workflow["jobs"]["plan"]
    assert not any("deploy" in command for command in workflow_runs("plan"))
    assert workflow["jobs"]["deploy"]["environment"] == "production"
    commands = workflow_runs("deploy")
    order = [
        "make lint test sbom",
        "make plan",
        "infra/revisions.sh note",
        "make deploy",
        "make smoke",
        "infra/revisions.sh restore",
    ]
    found = [next(index for index, command in enumerate(commands) if command.startswith(start)) for start in order]
    assert found == sorted(found)


# Remembers what it was asked for.
GCLOUD = """#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/asked"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Provide the files that `make backfill-image` uses, and a stand-in for gcloud that records its calls."""
    for name in ("function", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFTOVERS)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").write_text(GCLOUD)
    (tmp_path / "bin" / "gcloud").chmod(0o755)
    return tmp_path


def make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make arguments…`, which may fail."""
    path = f"{repository / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", *arguments],  # noqa: S607
        cwd=repository,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def built_tag(repository: Path) -> str:
    """Build the containers and return the tag that the next plan finds."""
    done = make(repository, "backfill-image", "PROJECT=my-project", "REGION=europe-west1")
    assert done.returncode == 0, done.stderr
    written = (repository / "infra" / "backfill.auto.tfvars").read_text()
    found = re.fullmatch(r'backfill_tag = "([0-9a-f]{16})"\n', written)
    assert found
    return found[1]


def test_containers_are_tagged_after_their_code(repository: Path) -> None:
    tag = built_tag(repository)
    asked = (repository / "bin" / "asked").read_text().splitlines()
    assert asked[:3] == ["builds", "submit", ".build/backfill"]
    assert "--config=backfill-image.yaml" in asked
    version = (repository / "infra" / "python-version").read_text().strip()
    repository_name = "europe-west1-docker.pkg.dev/my-project/flowers-functions"
    assert f"--substitutions=_PYTHON={version},_REPOSITORY={repository_name},_TAG={tag}" in asked
    # What the deployment lets build, and read these sources (infra/build.tf, infra/source.tf).
    account = "flowers-build@my-project.iam.gserviceaccount.com"
    assert f"--service-account=projects/my-project/serviceAccounts/{account}" in asked
    assert "--gcs-source-staging-dir=gs://my-project-flowers-source/backfill" in asked
    cache = repository / "function" / "flowers" / "__pycache__"
    cache.mkdir()
    (cache / "settings.cpython-311.pyc").write_bytes(b"litter")
    os.utime(repository / "function" / "main.py", (0, 0))
    assert built_tag(repository) == tag
    (repository / "function" / "flowers" / "settings.py").write_text("changed = True\n")
    assert built_tag(repository) != tag


def test_containers_are_tagged_without_being_built(repository: Path) -> None:
    """Test what a plan needs, on an account that may build nothing."""
    subprocess.run([repository / "infra" / "backfill-image.sh"], timeout=60, check=True)
    written = (repository / "infra" / "backfill.auto.tfvars").read_text()
    built_tag(repository)
    assert (repository / "infra" / "backfill.auto.tfvars").read_text() == written


def test_container_sources_are_complete(repository: Path) -> None:
    built_tag(repository)
    source = repository / "infra" / ".build" / "backfill"
    build = yaml.safe_load(BACKFILL_IMAGE.read_text(encoding="utf-8"))
    (dockerfile,) = re.findall(r"--file (\S+)", json.dumps(build))
    assert (source / dockerfile).read_text() == (ROOT / "infra" / "dataflow.Dockerfile").read_text()
    # Beam's container is of the version that the program is written for.
    (expression,) = re.findall(r"\$\((sed .*?requirements\.txt)\)", build["steps"][1]["script"])
    found = subprocess.run(expression, shell=True, cwd=source, capture_output=True, text=True, timeout=10, check=True)  # noqa: S602
    pinned = (ROOT / "function" / "backfill" / "requirements.txt").read_text(encoding="utf-8")
    assert f"apache-beam=={found.stdout.strip()} " in pinned
    assert (source / "flowers" / "model" / "flowers.onnx").is_file()


def test_missing_project_is_named(repository: Path) -> None:
    done = make(repository, "backfill-image", "REGION=europe-west1")
    assert done.returncode != 0
    assert "PROJECT is missing" in done.stderr
    done = make(repository, "backfill-image", "PROJECT=my-project")
    assert done.returncode != 0
    assert "REGION is missing" in done.stderr
    assert not (repository / "bin" / "asked").exists()
