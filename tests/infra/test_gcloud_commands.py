"""Test that each gcloud command of the documents and scripts exists, with its flags, in the installed gcloud."""

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import INFRA, ROOT

FILES = [
    ROOT / "README.md",
    ROOT / "cloudbuild.yaml",
    ROOT / ".github" / "workflows" / "deploy.yml",
    *sorted(INFRA.glob("*.md")),
    *sorted(INFRA.glob("*.sh")),
]


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    """Return gcloud's own table of its commands and their flags."""
    program = shutil.which("gcloud")
    file = Path(program).resolve().parents[1] / "data" / "cli" / "gcloud_completions.py" if program else None
    if file is None or not file.exists():
        pytest.skip("gcloud is not installed")
    spec = importlib.util.spec_from_file_location("gcloud_completions", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.STATIC_COMPLETION_CLI_TREE
    return found


def commands(file: Path) -> list[str]:
    """Return the gcloud commands of a file: in lines of code, in backquotes and in $(…)."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    nested = re.findall(r"\$\((gcloud [^()]+)\)", text)
    text = re.sub(r"\$\([^()]*\)", "VALUE", text)
    if file.suffix == ".md":
        quoted = re.findall(r"`(?:[A-Z_]+=\S+ )?(gcloud [^`]+)`", text)
        lines = re.findall(r"^ *(?:until )?(gcloud (?!asks).+)$", text, re.MULTILINE)
    else:
        quoted = []
        lines = re.findall(r"^[^#\n]*?\b(gcloud [a-z][^|&;)\n]*)", text, re.MULTILINE)
    return [re.split(r" 2?> | && |; | *#", line)[0] for line in nested + quoted + lines]


def unknown(tree: dict[str, Any], command: str) -> list[str]:
    """Return the words of a command that gcloud does not know."""
    node, flags = tree, dict(tree["flags"])
    words = [word.strip("\"'`") for word in command.split()[1:]]
    while words and words[0] in node["commands"]:
        node = node["commands"][words.pop(0)]
        flags |= node["flags"]
    if node["commands"]:
        return [f"command {' '.join(words[:1])}"]
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    # `--no-x` is the other value of a flag `--x`.
    return [flag for flag in named if flag not in flags and f"--{flag.removeprefix('--no-')}" not in flags]


def test_commands_are_found() -> None:
    found = {file.name: len(commands(file)) for file in FILES}
    assert found["README.md"] + found["RUNBOOK.md"] > 20
    assert found["bootstrap.sh"] >= 5
    assert found["revisions.sh"] == 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_commands_are_known_to_gcloud(file: Path, tree: dict[str, Any]) -> None:
    problems = {command: found for command in commands(file) if (found := unknown(tree, command))}
    assert problems == {}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("gcloud functions deploy f --gen3", ["--gen3"]),
        ("gcloud functions deplore f", ["command deplore"]),
        ("gcloud functions deploy f --no-allow-unauthenticated", []),
    ],
)
def test_invented_command_is_unknown(command: str, problem: list[str], tree: dict[str, Any]) -> None:
    assert unknown(tree, command) == problem


def test_commands_deploy_the_defaults_of_terraform() -> None:
    """Test that the two commands of "Try it without Terraform" deploy the variables' defaults."""
    text = (INFRA / "README.md").read_text(encoding="utf-8")
    http, upload = re.findall(r"^gcloud functions deploy .*$", text, re.MULTILINE)
    version = (INFRA / "python-version").read_text().strip().replace(".", "")
    for command, name in ((http, "http"), (upload, "upload")):
        block = re.search(
            rf'^variable "{name}" \{{.*?^\}}', (INFRA / "variables.tf").read_text(), re.MULTILINE | re.DOTALL
        )
        assert block
        size = {key: value.strip('"') for key, value in re.findall(r"(\w+) += optional\(\w+, ([^)]+)\)", block[0])}
        flags = dict(re.findall(r"--([a-z-]+)=(\S+)", command))
        assert flags["runtime"] == f"python{version}"
        assert (flags["memory"], flags["cpu"], flags["concurrency"]) == (
            size["memory"],
            size["cpu"],
            size["concurrency"],
        )
        assert flags["set-env-vars"] == f"THREADS={size['concurrency']}"
        assert flags["entry-point"] == f"classify_{name}"
        epoch = flags["set-build-env-vars"].partition("=")[2]
        assert f'SOURCE_DATE_EPOCH = "{epoch}"' in (INFRA / "functions.tf").read_text()
    assert " --retry " in upload
