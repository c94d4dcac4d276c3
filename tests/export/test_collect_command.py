"""Test `python -m export collect`: it shows progress, needs no TensorFlow, and ends with a message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.__main__ import main
from tests.support.archives import in_folder, keep
from tests.support.paths import ROOT

RUN = "import sys; from export.__main__ import main; main(); print({'tensorflow', 'keras'} & set(sys.modules))"


def test_collect_shows_progress_without_tensorflow(tmp_path: Path) -> None:
    archive = in_folder(tmp_path / "archive", keep(1))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", RUN, "collect", "--archive", str(archive), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert "copy photos: 100%" in done.stderr
    counted, then, slow = done.stdout.splitlines()
    assert counted == "1 photos to review, 0 of them corrected; 1 copied now."
    assert then.startswith(f"Open {tmp_path / 'review' / 'index.html'} in a browser.")
    assert slow == "set()"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--archive", "nowhere"), "nowhere is no folder."),
        (("--decisions", "nowhere.json"), "nowhere.json does not exist."),
        ((), "one of the arguments --archive --decisions is required"),
        (("--archive", "a", "--decisions", "b"), "not allowed with argument"),
        (("--archive", "a", "--least-sure", "-1"), "--least-sure: invalid"),
        (("--decisions", "b", "--least-sure", "1"), "--least-sure belongs to --archive"),
    ],
)
def test_wrong_words_end_with_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["export", "collect", *words, "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert message in f"{ended.value.code}{capsys.readouterr().err}"
