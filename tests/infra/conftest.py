"""Share the real terraform among the tests of infra/, with the providers of ../shared or of the registry."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
# Providers that know the real schema and nothing else, for machines that do not reach the registry.
_INSTALL_PROVIDERS = ROOT.parent / "shared" / "terraform" / "install"
# An environment of its own: checkov pins much of what the tests use in other versions.
_CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
# What a developer's own use of infra/ leaves behind; a terraform.tfvars would change what is tested.
LEFTOVERS = shutil.ignore_patterns(
    ".terraform*", ".build", "*.tfstate*", "*.tfplan", "*.tfvars", "*_override.tf", "__pycache__"
)


@dataclass(frozen=True)
class Terraform:
    """Run terraform in a folder of its own, a copy of infra/ beside a copy of function/."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `terraform arguments…`, which may fail; both streams together are in `stdout`."""
        return subprocess.run(
            ["terraform", *arguments],  # noqa: S607  # whichever is on the path is meant
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        """Print and return the output of `terraform arguments…`. Fail the test if terraform fails."""
        done = self.run(*arguments)
        print(f"\n$ terraform {' '.join(arguments)}\n{done.stdout}")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def plan(self, *arguments: str) -> dict[str, Any]:
        """Return the plan, as `terraform show -json` describes it."""
        command = ("plan", "-no-color", "-input=false", "-lock=false", "-out=tested.tfplan", *arguments)
        planned = self.run(*command)
        assert planned.returncode == 0, planned.stdout
        listed = re.findall(r"^  # .* will be .*$|^Plan: .*$|^  \+ access .*$", planned.stdout, re.MULTILINE)
        print("\n".join(["", f"$ terraform {' '.join(command)}", *listed]))
        done = subprocess.run(
            ["terraform", "show", "-json", "tested.tfplan"],  # noqa: S607
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=120,
            check=True,
        )
        plan: dict[str, Any] = json.loads(done.stdout)
        return plan

    def copy(self, folder: Path) -> "Terraform":
        """Return another initialized copy, to break."""
        shutil.copytree(self.folder.parent, folder, symlinks=True)
        return Terraform(folder / "infra", self.environment)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Provide terraform in an initialized copy, with its state in a local file."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    if _INSTALL_PROVIDERS.exists():
        lines = subprocess.run([_INSTALL_PROVIDERS], capture_output=True, text=True, timeout=300, check=True).stdout
        environment |= re.findall(r"^export (\w+)='(.*)'$", lines, re.MULTILINE)
    folder = tmp_path_factory.mktemp("deployment")
    shutil.copytree(INFRA, folder / "infra", symlinks=True, ignore=LEFTOVERS)
    shutil.copytree(ROOT / "function", folder / "function", ignore=LEFTOVERS)
    terraform = Terraform(folder / "infra", environment)
    done = terraform.run("init", "-no-color", "-input=false", "-backend=false")
    if "could not connect to registry.terraform.io" in " ".join(done.stdout.split()):
        pytest.skip("neither the providers' registry nor ../shared/terraform is within reach")
    print(f"\n$ terraform init -backend=false\n{done.stdout}")
    assert done.returncode == 0, done.stdout
    (folder / "infra" / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n', encoding="utf-8")
    terraform.succeed("init", "-no-color", "-input=false")
    return terraform


def checkov(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `checkov arguments…` in a folder. Skip the test if it is not installed."""
    program = str(_CHECKOV) if _CHECKOV.exists() else shutil.which("checkov")
    if program is None:
        pytest.skip("checkov is not installed: make test-infra installs it")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def _variables_of_the_example() -> str:
    """Return terraform.tfvars.example with every assignment in force."""
    text = (INFRA / "terraform.tfvars.example").read_text(encoding="utf-8")
    return re.sub(r"^# (\w+ += |  [A-Z_]+ += |\})", r"\1", text, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def default_plan(terraform: Terraform) -> dict[str, Any]:
    """Return the plan with the project and the region alone."""
    return terraform.plan("-var=project_id=my-project", "-var=region=europe-west1")


@pytest.fixture(scope="session")
def full_plan(terraform: Terraform) -> dict[str, Any]:
    """Return the plan with all variables, as terraform.tfvars.example sets them."""
    (terraform.folder / "full.tfvars").write_text(_variables_of_the_example(), encoding="utf-8")
    return terraform.plan("-var-file=full.tfvars")


Planned = Callable[[dict[str, Any], str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def planned() -> Planned:
    """Provide `planned(plan, type)`: the planned values of all resources of a type, by name."""

    def of_type(plan: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
        resources = plan["planned_values"]["root_module"]["resources"]
        return {
            resource["name"] + (f"[{resource['index']}]" if "index" in resource else ""): resource["values"]
            for resource in resources
            if resource["type"] == kind
        }

    return of_type
