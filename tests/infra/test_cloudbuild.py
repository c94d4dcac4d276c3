"""cloudbuild.yaml is by Cloud Build's schema, runs what the Makefile has, and deploys nothing that was not tested."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import ROOT

CLOUDBUILD = ROOT / "cloudbuild.yaml"
BUILD: dict[str, Any] = yaml.safe_load(CLOUDBUILD.read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in BUILD["steps"]}


def problems(file: Path) -> list[str]:
    """What Cloud Build's schema, as check-jsonschema carries it, has against a file."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.cloudbuild",
        "-o",
        "json",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return [error["message"] for error in json.loads(done.stdout)["errors"]]


def test_it_is_by_the_schema() -> None:
    assert problems(CLOUDBUILD) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("waitFor: [deploy]", "waitfor: [deploy]"),
        ("timeout: 3600s", "timeout: [3600]"),
        ("logging: CLOUD_LOGGING_ONLY", "logging: SOMEWHERE"),
        ("    name: python:3.11", "    image: python:3.11"),
    ],
)
def test_a_mistake_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    text = CLOUDBUILD.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "cloudbuild.yaml").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert problems(tmp_path / "cloudbuild.yaml")


def before(step: str) -> set[str]:
    """The steps that a step waits for, and all that those wait for."""
    direct = set(STEPS[step].get("waitFor", []))
    return direct.union(*(before(name) for name in direct))


def test_nothing_is_deployed_before_it_is_tested_and_planned() -> None:
    assert {"test", "test-deployment", "plan", "note-revisions"} <= before("deploy")
    assert before("roll-back-on-failure") == set(STEPS) - {"roll-back-on-failure"}


def test_every_target_it_makes_exists() -> None:
    made = set(re.findall(r"\bmake ([a-z -]+?)(?: [A-Z_]+=| *$)", CLOUDBUILD.read_text(encoding="utf-8"), re.MULTILINE))
    targets = {target for line in made for target in line.split()}
    assert targets >= {"lint", "test", "infra-test", "plan", "deploy", "smoke"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_every_substitution_of_ours_has_a_default_and_is_used() -> None:
    steps = json.dumps(BUILD["steps"])
    assert set(re.findall(r"\$\{(_[A-Z_]+)\}", steps)) == set(BUILD["substitutions"])
