"""Test that checkov finds nothing but the skipped checks, each of which has its reason."""

import json
import re
import shutil
from pathlib import Path

from tests.infra.conftest import INFRA, LEFTOVERS, checkov


def test_checkov_finds_nothing() -> None:
    done = checkov(INFRA, "--config-file", ".checkov.yaml")
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"Passed checks: (\d+)", done.stdout)[0]) > 20


def test_checkov_without_skips_finds_them(tmp_path: Path) -> None:
    config = (INFRA / ".checkov.yaml").read_text(encoding="utf-8")
    skipped = dict(re.findall(r"^  - (CKV\w+) +# (.+)$", config, re.MULTILINE))
    assert len(skipped) == len(re.findall(r"^  - ", config, re.MULTILINE))
    copy = tmp_path / "infra"
    shutil.copytree(INFRA, copy, symlinks=True, ignore=LEFTOVERS)
    (copy / ".checkov.yaml").unlink()  # which it would read by itself
    storage = (copy / "storage.tf").read_text(encoding="utf-8")
    assert '"enforced"' in storage
    (copy / "storage.tf").write_text(storage.replace('"enforced"', '"inherited"'), encoding="utf-8")
    arguments = ("-d", ".", "--framework", "terraform", "-o", "json", "--skip-download")
    report = json.loads(checkov(copy, *arguments).stdout)
    found = {check["check_id"]: check["resource"] for check in report["results"]["failed_checks"]}
    assert found.pop("CKV_GCP_114").startswith("google_storage_bucket.data")
    assert set(found) == set(skipped)
