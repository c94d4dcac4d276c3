"""Write the bundled network in the forms that the peers serve. This runs in the environment of `export/`.

.venv/export/bin/python -m tests.bench.speed.models tests/bench/build
"""

import json
import sys
from pathlib import Path

import keras
import onnx
import tensorflow as tf

from export.bundled import INPUT_SIZE, KERAS_MODEL, SCALE
from export.conversion.adapt import adapt
from export.conversion.convert import convert
from export.conversion.metadata import read_metadata
from export.conversion.source_model import load_source
from export.serving import SERVED_MODEL


def make_forms(folder: Path) -> None:
    """Write labels.json, float.onnx, saved_model/ and float.tflite into `folder`, all in float."""
    metadata = read_metadata(onnx.load(SERVED_MODEL))
    convert(adapt(load_source(KERAS_MODEL), INPUT_SIZE), SCALE, folder / "float.onnx", metadata)
    image = keras.Input((*INPUT_SIZE, 3), batch_size=1)
    network = keras.Model(image, keras.saving.load_model(KERAS_MODEL)(image, training=False))
    network.export(folder / "saved_model", verbose=False)
    (folder / "float.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    (folder / "labels.json").write_text(json.dumps(metadata.labels), encoding="utf-8")


if __name__ == "__main__":
    make_forms(Path(sys.argv[1]))
