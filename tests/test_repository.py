"""Test the repository's own rules: locked requirements, short make targets, one version of the code."""

import re
import subprocess
from pathlib import Path

import pytest

import flowers

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
INPUTS = sorted(path for path in ROOT.rglob("*.in") if ".venv" not in path.parts)
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ;]+)", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Return the locked release of each package. A package may have another release on another Python."""
    return dict(PIN.findall(lock.read_text(encoding="utf-8")))


@pytest.mark.parametrize("source", INPUTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lock_of_requirements_is_complete(source: Path) -> None:
    lock = source.with_suffix(".txt")
    named = re.findall(r"^[a-z][a-z0-9-]*", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= set(pins(lock)), "run `make lock`"
    body = "\n".join(line for line in lock.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    packages = re.split(r"\n(?=\S)", body)
    assert [package for package in packages if "==" not in package or "--hash=sha256:" not in package] == []
    assert not re.search(r"://|--(?:extra-)?index|--find-links", body)


def test_locks_share_the_releases_of_the_function() -> None:
    served = pins(ROOT / "function" / "requirements.txt")
    for lock in {source.with_suffix(".txt") for source in INPUTS} - {ROOT / "tests" / "infra" / "checkov.txt"}:
        shared = {"numpy", "onnxruntime"} & pins(lock).keys()
        assert {name: pins(lock)[name] for name in shared} == {name: served[name] for name in shared}, lock


def test_every_lock_is_installed_by_a_make_target() -> None:
    locks = {str(path.with_suffix(".txt").relative_to(ROOT)) for path in INPUTS}
    installed = set(re.findall(r"^\.venv/\S+: (\S+\.txt)$", MAKEFILE, re.MULTILINE))
    peers = {
        f"tests/bench/speed/requirements/{name}.txt"
        for name in re.findall(r"^PEERS = (.*)$", MAKEFILE, re.M)[0].split()
    }
    # The backfill's own lock is a part of its tests' lock.
    assert locks - {"function/backfill/requirements.txt"} == installed | peers


def test_make_targets_have_three_lines_at_most() -> None:
    recipes = re.findall(r"^(\S.*:.*)\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert len(recipes) > 20
    assert [target for target, recipe in recipes if recipe.count("\n") > 3] == []


def test_make_help_lists_every_phony_target() -> None:
    done = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S607
    listed = set(re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert done.stderr == ""
    assert listed == set(phony.replace("\\\n", " ").split())
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


def test_dependabot_watches_every_lock() -> None:
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    watched = re.findall(r"^ +- /(.*)$", text, re.MULTILINE)
    assert watched == sorted({str(source.parent.relative_to(ROOT)) for source in INPUTS})


def test_changelog_begins_with_the_version_of_the_code() -> None:
    text = (ROOT / "function" / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([0-9.]+), \d{4}-\d\d-\d\d$", text, re.MULTILINE)[0] == flowers.__version__
