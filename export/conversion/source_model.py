"""Load a custom TensorFlow model: detect the kind of its file, and make it callable.

Keras 3 loads its own files, PyPI's tf-keras loads those of Keras 2, and TensorFlow loads SavedModels.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from ..errors import ExportError
from .mlflow_model import is_mlflow_folder, registered_model, weights_of
from .saved_model import choose_output, from_frozen_graph, from_saved_model
from .scale import Scale

ACCEPTED = (
    "Accepted are a .keras file, an .h5 file of a whole Keras model, a SavedModel folder, a frozen graph (.pb), a "
    ".tflite file, an MLflow model folder (with the file MLmodel, flavour tensorflow or keras), and "
    "models:/NAME/VERSION of a local MLflow file store."
)
_AS_SAVED_MODEL = (
    "Save it as a SavedModel where its code is at hand, with model.export('folder') (Keras 3) or model.save('folder') "
    "(Keras 2): that holds the computation itself. Then give the folder as --model."
)


class SourceModelError(ExportError):
    """Report a model that cannot be read, or is no image classifier. The message says what is accepted."""


@dataclass(frozen=True)
class SourceModel:
    """Hold a model's computation in inference, and its one input.

    `call` takes a batch [N, *shape] of `dtype` and gives [N, C], whatever activation is last. `shape` is as the model
    states it; None stands for a side that it leaves open. `scale` and `labels` are known if the file has them.
    """

    name: str
    version: str
    call: Callable[[tf.Tensor], tf.Tensor]
    shape: tuple[int | None, ...]
    dtype: tf.DType
    scale: Scale | None = None
    labels: tuple[str, ...] | None = None


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def locate(model: str | Path, store: Path = Path("mlruns")) -> tuple[Path, str, str]:
    """Return the file or folder of a model, its name and its version; `models:/NAME/VERSION` is in an MLflow store.

    The version is the registered one, else the beginning of the file's digest, so that different files differ.
    Raise `SourceModelError`.
    """
    registered = str(model).startswith("models:/")
    path, name, version = registered_model(str(model), store) if registered else (Path(model), "", "")
    if not path.exists():
        raise SourceModelError(f"{path} is missing. {ACCEPTED}")
    name, version = name or path.stem, version or _digest(path)[:8]
    return weights_of(path) if is_mlflow_folder(path) else path, name, version


def load_source(
    model: str | Path, store: Path = Path("mlruns"), signature: str | None = None, output: str | None = None
) -> SourceModel:
    """Load a TensorFlow model; `signature` and `output` choose if it has several. Raise `SourceModelError`."""
    file, name, version = locate(model, store)
    if (file / "saved_model.pb").is_file():
        return SourceModel(name, version, *from_saved_model(file, signature, output))
    if file.is_file() and (zipfile.is_zipfile(file) or h5py.is_hdf5(file)):
        return _from_keras(file, name, version, output)
    if file.is_file() and file.suffix == ".pb":
        return SourceModel(name, version, *from_frozen_graph(file, output))
    raise SourceModelError(f"{file} is no TensorFlow model that can be read. {ACCEPTED}")


def _keras_version(file: Path) -> str:
    """Return the version of Keras that saved a file. Raise `SourceModelError` if no whole model is in it."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(file) as content:
            if "model_config" in content.attrs:
                return str(content.attrs.get("keras_version", "2"))
    except (KeyError, ValueError, OSError) as error:
        raise SourceModelError(f"{file} is no Keras model: {error}. {ACCEPTED}") from error
    raise SourceModelError(
        f"{file} holds weights without their network. Save the whole model with model.save('model.keras')."
    )


def _library(file: Path) -> Any:
    if not _keras_version(file).startswith("2."):
        return keras
    try:
        import tf_keras
    except ModuleNotFoundError:
        raise SourceModelError(f"{file} was saved by Keras 2. To read it: pip install tf-keras") from None
    return tf_keras


def _reason(error: Exception) -> str:
    """Return the reason in Keras's message, which also has the model's whole configuration."""
    telling = re.search(r"(Could not locate|Unknown layer|Requested the deserialization)[^.]+", str(error))
    return telling.group() if telling else str(error).partition("\n")[0]


def _from_keras(file: Path, name: str, version: str, output: str | None) -> SourceModel:
    library = _library(file)
    ending = ".keras" if zipfile.is_zipfile(file) else ".h5"
    if file.suffix not in (ending, ".hdf5"):
        raise SourceModelError(f"{file} is a Keras model by its content: rename it so that it ends in {ending}")
    try:
        model = library.models.load_model(file, compile=False)
    except (TypeError, ValueError, AttributeError, ImportError) as error:
        raise SourceModelError(
            f"{file} has a part that Keras cannot rebuild by itself: {_reason(error)}\n{_AS_SAVED_MODEL}"
        ) from error
    inputs, outputs = model.inputs or [], model.outputs or []
    if not inputs:
        raise SourceModelError(f"{file} does not state the shape of its input. {_AS_SAVED_MODEL}")
    if len(inputs) != 1:
        raise SourceModelError(
            f"{file} has {len(inputs)} inputs ({', '.join(tensor.name for tensor in inputs)}), but an image classifier "
            "has one. Save a model that keeps only one: the image in, the classes' scores out."
        )
    names = list(getattr(model, "output_names", None) or [tensor.name for tensor in outputs])
    chosen = names.index(choose_output(dict(zip(names, (out.shape for out in outputs), strict=True)), output, file))

    def call(images: tf.Tensor) -> tf.Tensor:
        return tf.nest.flatten(model(images, training=False))[chosen]

    return SourceModel(name, version, call, tuple(inputs[0].shape[1:]), tf.as_dtype(inputs[0].dtype))
