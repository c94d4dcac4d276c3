"""Test that a start is measured in the state of a new instance."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.speed import instance
from tests.support.paths import MAIN


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the function's compiled copy."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return instance.compiled(MAIN, tmp_path / "copy", Path(sys.executable))


def test_compiled_copy_is_valid_after_times_reset(copy: Path) -> None:
    command = [sys.executable, "-B", "-v", "-c", "import flowers.errors"]
    done = subprocess.run(command, cwd=copy.parent, capture_output=True, text=True, check=True)
    assert "# code object from '" in done.stderr
    source = copy.parent / "flowers" / "errors.py"
    assert f"# code object from {source}" not in done.stderr
    assert f"# code object from '{source.parent}/__pycache__/errors." in done.stderr


def test_compiled_copy_has_hash_checked_bytecode(copy: Path) -> None:
    files = [file for file in copy.parent.rglob("*.py") if "backfill" not in file.parts]
    assert len(files) > 30
    for file in files:
        (bytecode,) = (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc")
        assert bytecode.read_bytes()[4:8] == b"\x03\x00\x00\x00", file  # PEP 552: checked hash
        assert file.stat().st_mtime == bytecode.stat().st_mtime < 315_619_200


def test_page_cache_without_root_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(instance, "_DROP_CACHES", tmp_path / "missing" / "drop_caches")
    with pytest.raises(OSError, match="drop_caches"):
        instance.empty_page_cache()
