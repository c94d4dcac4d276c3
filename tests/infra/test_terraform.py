"""Test that infra/ is formatted and valid, its own tests pass, and the plan deploys and grants what it should."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from tests.infra.conftest import INFRA, LEFTOVERS, ROOT, Planned, Terraform


def test_infra_is_formatted(terraform: Terraform) -> None:
    terraform.succeed("fmt", "-check", "-recursive", "-diff", "-no-color", str(INFRA))


def test_infra_is_valid(terraform: Terraform) -> None:
    assert "Success!" in terraform.succeed("validate", "-no-color")


def test_infra_own_tests_pass(terraform: Terraform) -> None:
    output = terraform.succeed("test", "-no-color")
    written = sum(len(re.findall(r"^run ", path.read_text(), re.MULTILINE)) for path in (INFRA / "tests").glob("*.hcl"))
    assert f"Success! {written} passed, 0 failed." in output


def test_infra_stays_within_its_length() -> None:
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in INFRA.glob("*.tf")) <= 2258


def test_plan_is_what_an_empty_project_needs(default_plan: dict[str, Any]) -> None:
    changes = default_plan["resource_changes"]
    assert {tuple(change["change"]["actions"]) for change in changes if change["mode"] == "managed"} == {("create",)}
    kinds = {change["type"] for change in changes}
    assert {"google_cloudfunctions2_function", "google_storage_bucket", "google_bigquery_table"} <= kinds
    assert "google_monitoring_alert_policy" not in kinds


def test_example_shows_every_variable(terraform: Terraform, full_plan: dict[str, Any]) -> None:
    declared = set(re.findall(r'^variable "(\w+)"', (INFRA / "variables.tf").read_text(), re.MULTILINE))
    declared |= set(re.findall(r'^variable "(\w+)"', (INFRA / "settings.tf").read_text(), re.MULTILINE))
    shown = re.findall(r"^(\w+) +=", (terraform.folder / "full.tfvars").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(declared)
    assert set(full_plan["variables"]) == declared


def test_every_variable_and_output_is_described() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in INFRA.glob("*.tf"))
    blocks = re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 40
    assert [name for name, body in blocks if not re.match(r'  description +=\s+"\w', body)] == []


def test_no_grant_is_authoritative(full_plan: dict[str, Any]) -> None:
    kinds = {change["type"] for change in full_plan["resource_changes"] if "_iam_" in change["type"]}
    grants = {kind for kind in kinds if not kind.startswith("google_iam_workload_identity_pool")}
    assert len(grants) >= 4
    additive = {kind for kind in grants if kind.endswith(("_iam_member", "_iam_custom_role"))}
    assert grants - additive == set()
    assert [
        block for block in full_plan["configuration"]["root_module"]["resources"] if "_iam_policy" in block["type"]
    ] == []


def test_public_access_is_granted_only_if_asked(default_plan: dict[str, Any], full_plan: dict[str, Any]) -> None:
    def let_everyone_in(plan: dict[str, Any]) -> list[str]:
        resources = plan["planned_values"]["root_module"]["resources"]
        return [
            each["address"]
            for each in resources
            if re.search("allUsers|allAuthenticatedUsers", str(each.get("values")))
        ]

    assert let_everyone_in(default_plan) == []
    assert let_everyone_in(full_plan) == ['google_cloud_run_v2_service_iam_member.callers["allUsers"]']


def test_upload_account_has_no_other_grants(full_plan: dict[str, Any]) -> None:
    """Test that everything in the plan that names the account is one of the grants that other tests check."""
    named = {
        f"{resource['type']} {resource.get('index', '')}"
        for resource in full_plan["planned_values"]["root_module"]["resources"]
        if "flowers-test-upload@" in str(resource.get("values"))
    }
    assert named == {
        "google_cloudfunctions2_function upload",
        "google_pubsub_topic_iam_member upload",
        "google_storage_bucket_iam_member upload reads my-project-flowers-test-images",
        "google_storage_bucket_iam_member upload reads my-project-flowers-test-results",
        "google_storage_bucket_iam_member upload writes my-project-flowers-test-results",
    }


def test_each_used_api_is_enabled(full_plan: dict[str, Any], planned: Planned) -> None:
    enabled = {service["service"] for service in planned(full_plan, "google_project_service").values()}
    services = {
        "artifact_registry": "artifactregistry",
        "bigquery": "bigquery",
        "billing": "billingbudgets",
        "cloud_run": "run",
        "cloud_scheduler": "cloudscheduler",
        "cloudbuild": "cloudbuild",
        "cloudfunctions2": "cloudfunctions",
        "compute": "compute",
        "kms": "cloudkms",
        "logging": "logging",
        "monitoring": "monitoring",
        "pubsub": "pubsub",
        "service_account": "iam",
        "storage": "storage",
    }
    kinds = {change["type"] for change in full_plan["resource_changes"]}
    used = {name for prefix, name in services.items() if any(kind.startswith(f"google_{prefix}") for kind in kinds)}
    assert used == set(services.values())
    # Of these no resource is made.
    others = {"binaryauthorization", "containerscanning", "dataflow", "eventarc", "iamcredentials", "sts"}
    assert enabled == {f"{name}.googleapis.com" for name in used | others}


def _litter(function: Path) -> None:
    """Write files that must not be deployed."""
    for name in ("flowers/__pycache__/main.cpython-311.pyc", ".pytest_cache/README.md", "backfill/run.py"):
        (function / name).parent.mkdir(parents=True, exist_ok=True)
        (function / name).write_bytes(b"litter")
    for name in ("README.md", "CHANGELOG.md", "flowers/README.md", ".env", "flowers/.DS_Store"):
        (function / name).write_bytes(b"litter")


def test_archive_holds_the_function_alone(
    terraform: Terraform, default_plan: dict[str, Any], planned: Planned, tmp_path: Path
) -> None:
    # The archive by itself: the other providers take seconds to start, and have no part in it.
    function, packer = tmp_path / "function", Terraform(tmp_path / "infra", terraform.environment)
    shutil.copytree(ROOT / "function", function, ignore=LEFTOVERS)
    packer.folder.mkdir()
    source = (INFRA / "source.tf").read_text(encoding="utf-8").partition('resource "google')[0]
    output = 'output "name" {\n  value = "function-${data.archive_file.function.output_sha256}.zip"\n}\n'
    (packer.folder / "source.tf").write_text(source + output, encoding="utf-8")
    packer.succeed("init", "-no-color", "-input=false")

    def packed() -> str:
        packer.succeed("apply", "-no-color", "-auto-approve")
        return packer.succeed("output", "-raw", "name").strip()

    deployed_name = planned(default_plan, "google_storage_bucket_object")["function"]["name"]
    _litter(function)
    for path in function.rglob("*.py"):
        os.utime(path, (0, 0))
        path.chmod(0o600)
    assert packed() == deployed_name
    with zipfile.ZipFile(packer.folder / ".build" / "function.zip") as contents:
        deployed = set(contents.namelist())
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "function"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    committed = {name.removeprefix("function/") for name in listing.stdout.splitlines()}
    assert deployed == {
        name for name in committed if not name.startswith("backfill/") and not name.endswith((".md", ".in"))
    }
    (function / "main.py").write_text("changed = True\n", encoding="utf-8")
    assert packed() != deployed_name
