"""Build small random Keras models, save and convert them, and compare both forms."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from export.conversion.convert import convert
from export.conversion.metadata import Metadata, Resize
from export.conversion.scale import Scale
from export.conversion.tflite_model import ImageModel
from export.serving import Model
from export.validation.verify import compare_with_tensorflow, drawn_pictures


def network(*middle: Any, shape: tuple[int | None, ...] = (24, 32, 3)) -> Any:
    """Return a Keras 3 network of these layers with random weights, biases too."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input(shape), *middle])
    random = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + random.normal(0, 0.1, variable.shape).astype("float32"))
    return model


def saved(model: Any, folder: Path) -> Path:
    """Save the model as a .keras file."""
    model.save(folder / "model.keras")
    return folder / "model.keras"


def served(model: ImageModel, folder: Path, scale: Scale = "raw") -> Model:
    """Return the converted model as the function loads it."""
    labels = tuple(f"label {number}" for number in range(model.classes))
    file = folder / "served.onnx"
    convert(model, scale, file, Metadata("m", "1", labels, model.size, Resize("stretch"), ""))
    return Model.load(file)


def difference(model: ImageModel, scale: Scale, folder: Path) -> float:
    """Return the largest difference of a probability between the converted model and TensorFlow's."""
    served(model, folder, scale)
    [largest, _] = compare_with_tensorflow(model, scale, folder / "served.onnx", drawn_pictures(model.size, 6))
    return largest.value
