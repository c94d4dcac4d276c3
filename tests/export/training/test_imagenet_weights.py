"""Test that the ported weights make Keras answer as the published network does."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from export.training.backbone import build_classifier
from export.training.imagenet_weights import load_imagenet_weights, read_checkpoint
from tests.support.imagenet_reference import pattern

REFERENCE = Path(__file__).with_name("imagenet_reference.json")


@pytest.mark.parametrize("frozen", [False, True])
def test_keras_logits_equal_those_of_pytorch(frozen: bool) -> None:
    reference = np.array(json.loads(REFERENCE.read_text()), np.float32)
    model = build_classifier(1000, frozen=frozen)
    load_imagenet_weights(model, with_head=True)
    logits = np.asarray(model(pattern(), training=False))[0]
    assert np.abs(logits - reference).max() < 1e-4
    assert np.abs(reference).max() > 1  # the record is no row of zeros


def test_frozen_network_ignores_batch_statistics() -> None:
    model = build_classifier(10, dropout=0.0, frozen=True)
    load_imagenet_weights(model)
    images = np.concatenate([pattern(96), 255 - pattern(96)])
    assert np.abs(np.asarray(model(images, training=True)) - np.asarray(model(images, training=False))).max() < 1e-4


def test_last_layer_for_other_classes_is_kept() -> None:
    model = build_classifier(7)
    before = model.get_layer("logits").get_weights()[0].copy()
    load_imagenet_weights(model)
    assert np.array_equal(model.get_layer("logits").get_weights()[0], before)


def test_checkpoint_with_code_is_refused() -> None:
    hostile = b"".join(pickle.dumps(part) for part in (1, 2, 3)) + pickle.dumps(print)
    with pytest.raises(pickle.UnpicklingError, match="print"):
        read_checkpoint(io.BytesIO(hostile))
