"""Test that the emulated processor computes as the native one, and that its absence is reported."""

import shutil

import numpy as np
import pytest

from export.serving import SERVED_MODEL, Model
from export.validation.emulated import EMULATOR, EmulatorMissingError, logits_on_haswell


def test_missing_emulator_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmulatorMissingError, match="apt-get install qemu-user"):
        logits_on_haswell(SERVED_MODEL, np.zeros((1, 224, 224, 3), np.uint8))


@pytest.mark.skipif(shutil.which(EMULATOR) is None, reason=f"needs {EMULATOR}: apt-get install qemu-user")
def test_served_model_answers_alike_without_vnni() -> None:
    images = np.random.default_rng(4).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    native = np.concatenate([Model.load(SERVED_MODEL).run(image[np.newaxis]).logits for image in images])
    assert np.abs(logits_on_haswell(SERVED_MODEL, images) - native).max() < 0.01
