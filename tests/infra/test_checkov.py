"""checkov finds nothing that was not looked at: what it is told to skip is what it would find, each with its reason."""

import json
import re
from pathlib import Path

from tests.infra.conftest import INFRA, checkov


def test_it_finds_nothing() -> None:
    done = checkov(INFRA, "--config-file", ".checkov.yaml")
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"Passed checks: (\d+)", done.stdout)[0]) > 20


def test_what_is_skipped_is_what_it_would_find_and_has_a_reason(tmp_path: Path) -> None:
    config = (INFRA / ".checkov.yaml").read_text(encoding="utf-8")
    skipped = dict(re.findall(r"^  - (CKV\w+) +# (.+)$", config, re.MULTILINE))
    assert len(skipped) == len(re.findall(r"^  - ", config, re.MULTILINE))
    unskipped = tmp_path / "config.yaml"
    unskipped.write_text("skip-download: true\n", encoding="utf-8")
    arguments = ("--config-file", str(unskipped), "-d", ".", "--framework", "terraform", "-o", "json")
    report = json.loads(checkov(INFRA, *arguments).stdout)
    assert {check["check_id"] for check in report["results"]["failed_checks"]} == set(skipped)
