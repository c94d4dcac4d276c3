"""Test that the model is loaded in a thread while the rest of the code is imported."""

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowers.model.file import ModelError
from flowers.model.loading import LoadingModel
from tests.support.paths import MAIN

# What a server's master does before it forks: no thread may be left, for it would be missing in the child.
START = """
import os, sys, threading
from flowers.model.loading import LoadingModel
from flowers.settings import BUNDLED_MODEL
assert "numpy" not in sys.modules and "onnxruntime" not in sys.modules
model = LoadingModel(BUNDLED_MODEL).loaded()
import numpy as np
assert threading.enumerate() == [threading.main_thread()]
pixels = np.zeros((1, model.card.input_rule.height, model.card.input_rule.width, 3), np.uint8)
child = os.fork()
if child == 0:
    os._exit(0 if model.run(pixels).logits.shape == (1, len(model.card.labels)) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_loaded_model_answers_after_fork() -> None:
    run = subprocess.run(
        [sys.executable, "-c", START], cwd=MAIN.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout, run.stderr) == ("0\n", "")


def test_load_missing_file_raises_model_error(tmp_path: Path) -> None:
    loading = LoadingModel(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match=r"cannot load the model .*none\.onnx"):
        loading.loaded()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("model")]


def test_startup_restores_garbage_collector() -> None:
    script = "import main, gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    app = f"from functions_framework import create_app; create_app('classify_http', '{MAIN}'); "
    run = subprocess.run(
        [sys.executable, "-c", app + script], cwd=MAIN.parent, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == "True True\n"
    assert gc.isenabled()
