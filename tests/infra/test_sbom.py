"""Test that `make sbom` lists the function's packages, each with its release and checksums."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT

_INSTALLED = ROOT / ".venv" / "tools" / "bin" / "cyclonedx-py"
PROGRAM = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("cyclonedx-py")


@pytest.mark.skipif(PROGRAM is None, reason="cyclonedx-py is not installed: make sbom installs it")
def test_sbom_lists_the_locked_packages(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (arguments,) = re.findall(r"cyclonedx-py (requirements .*) --output-file", makefile)
    file = tmp_path / "function.cdx.json"
    command = [str(PROGRAM), *arguments.split(), "--output-file", str(file)]
    subprocess.run(command, cwd=ROOT, timeout=120, check=True)
    listed = json.loads(file.read_text())
    assert listed["bomFormat"] == "CycloneDX"
    locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "function" / "requirements.txt").read_text(), re.MULTILINE)
    assert len(locked) > 10
    assert {(part["name"], part["version"]) for part in listed["components"]} == set(locked)
    assert all(part["externalReferences"][0]["hashes"] for part in listed["components"])
