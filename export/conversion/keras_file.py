"""Load Keras files, also those that Keras writes but does not find all classes of.

An .h5 file has the names of classes without their modules. Keras then lacks the layers that only `keras.applications`
has, and takes an operation such as `x + 3` for the layer of the same name.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras


def load_keras(file: Path, library: Any) -> Any:
    """Return the model in a file of `library`, `keras` or `tf_keras`. Raise what that raises."""
    applications = f"{library.__name__}.src.applications"
    known = {kind.__name__: kind for kind in _kinds(library.layers.Layer) if kind.__module__.startswith(applications)}
    if library is not keras or not h5py.is_hdf5(file):
        return library.models.load_model(file, custom_objects=known, compile=False)
    known |= {_name(kind.__name__): kind for kind in _kinds(keras.Operation) if not issubclass(kind, keras.Layer)}
    with h5py.File(file) as content:
        config = json.loads(content.attrs["model_config"])
    with tempfile.TemporaryDirectory() as folder:
        renamed = Path(folder) / "model.h5"
        shutil.copyfile(file, renamed)
        for part in _parts(config):
            if "trainable" not in part["config"] and _name(part["class_name"]) in known:  # only layers are trainable
                part["class_name"] = _name(part["class_name"])
        with h5py.File(renamed, "a") as content:
            content.attrs["model_config"] = json.dumps(config)
        return keras.models.load_model(renamed, custom_objects=known, compile=False)


def _name(operation: str) -> str:
    """Return a name for the class of an operation that no layer has."""
    return f"operation {operation}"


def _kinds(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield the classes that are derived from one."""
    for derived in kind.__subclasses__():
        yield derived
        yield from _kinds(derived)


def _parts(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the descriptions of the layers and operations of a model, and of the models in it."""
    for part in model["config"].get("layers", []):
        yield part
        yield from _parts(part)
