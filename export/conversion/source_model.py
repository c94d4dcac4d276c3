"""Load a custom TensorFlow model: detect the kind of its file, and make it callable.

Keras 3 loads its own files, PyPI's tf-keras loads those of Keras 2, and TensorFlow loads SavedModels.
"""

import hashlib
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from ..errors import ExportError, reason_of
from .keras_file import load_keras
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
    if path.name == "saved_model.pb":
        path = path.parent
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
    raise SourceModelError(f"{file} is no TensorFlow model that can be read. {_advice(file)}{ACCEPTED}")


def _advice(file: Path) -> str:
    """Return what to do about a file or folder that holds a model in a way that cannot be read; "" if it has none."""
    if file.is_dir():
        inside = sorted(str(found.parent) for found in file.glob("*/saved_model.pb"))
        if inside:
            return f"It holds the SavedModel {' and the SavedModel '.join(inside)}: give one of these folders. "
        names = {found.name for found in file.iterdir()}
    else:
        names = {file.name}
        if tarfile.is_tarfile(file) or zipfile.is_zipfile(file):
            return "It is an archive: unpack it, and give the model inside. "
        with file.open("rb") as content:
            if content.read(2) == b"PK":
                return "Its end is missing: copy it again. "
    if "model.json" in names:
        return "It is a model of TensorFlow.js: take the Keras or SavedModel form (Teachable Machine: tab Tensorflow). "
    if {"config.json", "model.weights.h5"} <= names:
        return "It is an unpacked .keras file: give that file itself. "
    if any(name.endswith(".index") for name in names):
        return "It is a checkpoint, which holds weights without their network: save the whole model. "
    return ""


def _keras_version(file: Path) -> str:
    """Return the version of Keras that saved a file. Raise `SourceModelError` if no whole model is in it."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if "metadata.json" not in archive.namelist():
                    raise SourceModelError(f"{file} is no Keras model. {_advice(file)}{ACCEPTED}")
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(file) as content:
            if "model_config" in content.attrs:
                return str(content.attrs.get("keras_version", "2"))
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise SourceModelError(f"{file} is no Keras model, or damaged: {reason_of(error)}. {ACCEPTED}") from error
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
        model = load_keras(file, library)
    except (KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceModelError(f"{file} is damaged: {reason_of(error)}. Save or copy it again.") from error
    except Exception as error:  # what a layer's own code raises has any class
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
