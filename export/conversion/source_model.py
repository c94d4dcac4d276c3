"""A TensorFlow model from elsewhere: what kind of file it is, and how to call it.

Keras loads what Keras saved (version 3 its own files, PyPI's tf-keras those of version 2), TensorFlow SavedModels.
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

ACCEPTED = (
    "Accepted are a .keras file, an .h5 file of a whole Keras model, a SavedModel folder, an MLflow model folder "
    "(with the file MLmodel, flavour tensorflow or keras), and models:/NAME/VERSION of a local MLflow file store."
)
_AS_SAVED_MODEL = (
    "Save it as a SavedModel where its code is at hand, with model.export('folder') (Keras 3) or model.save('folder') "
    "(Keras 2): that holds the computation itself. Then give the folder as --model."
)


class SourceModelError(ExportError):
    """A model that cannot be read, or is no image classifier; the message says what is accepted."""


@dataclass(frozen=True)
class SourceModel:
    """A model's computation in inference, and its one input.

    `call` takes a batch [N, *shape] of `dtype` and gives [N, C], whatever activation is last. `shape` is as the model
    states it; None stands for a side that it leaves open.
    """

    name: str
    version: str
    call: Callable[[tf.Tensor], tf.Tensor]
    shape: tuple[int | None, ...]
    dtype: tf.DType


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def load_source(model: str | Path, store: Path = Path("mlruns")) -> SourceModel:
    """The model in a file or folder, or registered as `models:/NAME/VERSION` in the MLflow file store `store`.

    Its version is the registered one, else the beginning of the file's digest, so that other files have others.
    Raises `SourceModelError`.
    """
    registered = str(model).startswith("models:/")
    path, name, version = registered_model(str(model), store) if registered else (Path(model), "", "")
    if not path.exists():
        raise SourceModelError(f"{path} is missing. {ACCEPTED}")
    name, version = name or path.stem, version or _digest(path)[:8]
    file = weights_of(path) if is_mlflow_folder(path) else path
    if (file / "saved_model.pb").is_file():
        return _from_saved_model(file, name, version)
    if file.is_file() and (zipfile.is_zipfile(file) or h5py.is_hdf5(file)):
        return _from_keras(file, name, version)
    raise SourceModelError(f"{file} is no TensorFlow model that can be read. {ACCEPTED}")


def _keras_version(file: Path) -> str:
    """The version of Keras that saved a file. Raises `SourceModelError` where no whole model is in it."""
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
    """The telling part of Keras's message, which wraps it in the model's whole configuration."""
    telling = re.search(r"(Could not locate|Unknown layer|Requested the deserialization)[^.]+", str(error))
    return telling.group() if telling else str(error).partition("\n")[0]


def _from_keras(file: Path, name: str, version: str) -> SourceModel:
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
    _require_one("input", [tensor.name for tensor in inputs], file)
    _require_one("output", [tensor.name for tensor in outputs], file)

    def call(images: tf.Tensor) -> tf.Tensor:
        scores = model(images, training=False)
        return next(iter(tf.nest.flatten(scores)))

    return SourceModel(name, version, call, tuple(inputs[0].shape[1:]), tf.as_dtype(inputs[0].dtype))


def _require_one(what: str, names: list[str], path: Path) -> None:
    if len(names) != 1:
        raise SourceModelError(
            f"{path} has {len(names)} {what}s ({', '.join(names)}), but an image classifier has one. "
            f"Save a model that keeps only one: the image in, the classes' scores out."
        )


def _from_saved_model(folder: Path, name: str, version: str) -> SourceModel:
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow's errors share no class of their own
        raise SourceModelError(f"{folder} is no SavedModel that TensorFlow can load: {error}") from error
    signatures = dict(loaded.signatures)
    if signatures and "serving_default" not in signatures and len(signatures) > 1:
        raise SourceModelError(
            f"{folder} has the signatures {', '.join(sorted(signatures))}. Save the model with one, or with one named "
            "serving_default that takes the image."
        )
    function = (
        signatures.get("serving_default") or next(iter(signatures.values()))
        if signatures
        else _callable(loaded, folder)
    )
    # What a traced function computes is owned by the object that was loaded: keep it.
    arguments, options = function.structured_input_signature
    specs = [spec for spec in tf.nest.flatten((arguments, options)) if isinstance(spec, tf.TensorSpec)]
    _require_one("input", [spec.name for spec in specs], folder)
    outputs = tf.nest.flatten(function.structured_outputs)
    _require_one("output", [output.name for output in outputs], folder)
    keyword = next(iter(options), None) if not arguments else None

    def call(images: tf.Tensor, _owner: Any = loaded) -> tf.Tensor:
        scores = function(**{keyword: images}) if keyword else function(images)
        return tf.nest.flatten(scores)[0]

    if specs[0].shape.rank is None:
        raise SourceModelError(f"{folder} does not state the shape of its input: save it with an input signature")
    return SourceModel(name, version, call, tuple(specs[0].shape[1:]), specs[0].dtype)


def _callable(loaded: Any, folder: Path) -> Any:
    """The inference function of a SavedModel that can be called, as those of TensorFlow Hub."""
    traced = getattr(loaded.__call__, "concrete_functions", []) if callable(loaded) else []
    for function in traced:
        arguments, options = function.structured_input_signature
        values = tf.nest.flatten((arguments, options))
        if True not in [value for value in values if isinstance(value, bool)]:
            return function
    raise SourceModelError(
        f"{folder} has no signature and cannot be called. Save it with a signature: {_AS_SAVED_MODEL}"
    )
