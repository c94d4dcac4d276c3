"""Read, check, convert, verify and deliver a custom model; quantize it if that loses nothing."""

import re
import shlex
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import ExportError, reason_of
from ..serving import (
    SERVED_MODEL,
    Catalogue,
    Classifier,
    InputRule,
    Model,
    ModelError,
    Settings,
    SettingsError,
    logits_of,
    pixels_of,
    probabilities,
)
from ..training.dataset import Dataset, load_class_folders
from ..validation.report_page import write_page
from ..validation.verify import Bound, compare_with_tensorflow, drawn_pictures, require, write_report
from .acceptance import MAX_COMPARED, quantized_if_good
from .adapt import AdaptedModel, adapt
from .choices import choose_scale_and_labels, derived_name, label_orders, scale_missing, valid_name
from .convert import WAY_OUT, convert, named_in
from .deliver import deliver, destination
from .labels import Labels, read_labels
from .metadata import Metadata, Resize
from .options import ConvertOptions, QuantizeOptions, SourceOptions, VerifyOptions
from .preprocessing import spread
from .scale import Scale
from .source_model import load_source, locate
from .tflite_model import ImageModel, is_tflite, load_tflite


def convert_custom(options: ConvertOptions, build: Path) -> None:
    """Convert a source model and deliver the file, in int8 if its bounds hold.

    Intermediate files and reports stay in `build/NAME-VERSION/`. Raise `ExportError`.
    """
    to = destination(options.out)
    name, version, model = _load(options)
    orders = label_orders(options, model)
    rule = InputRule(*model.size, options.resize, 1.0)
    data = load_class_folders(options.data, orders[0]) if options.data else None
    scale, labels = choose_scale_and_labels(options, model, orders, data, rule)
    metadata = Metadata(
        valid_name(options.name, "--name") if options.name else derived_name(name),
        valid_name(options.version, "--version") if options.version else derived_name(version),
        labels.names,
        model.size,
        Resize(options.resize),
        "not told",
        reject_below=options.threshold,
    )
    folder = build / re.sub(r"[^\w.-]", "_", f"{metadata.name}-{metadata.version}")
    float_file = folder / "float.onnx"
    convert(model, scale, float_file, metadata)
    _require_servable(float_file)
    if options.data and labels != orders[0]:
        data = load_class_folders(options.data, labels)
    pixels = _pixels(data, float_file, model)
    bounds = compare_with_tensorflow(model, scale, float_file, pixels)
    require(bounds)
    served, figures = quantized_if_good(float_file, data if model.tolerance == AdaptedModel.tolerance else None)
    bounds += figures.pop("int8_bounds")
    write_report(folder / "verification.json", bounds, figures)
    pages = [folder / "verification.json"]
    if data:
        pages.append(folder / "photographs.html")
        _write_page(pages[-1], served, data)
    address = deliver(served, to)
    print(_read_off(model))
    print(_told(options, scale, metadata))
    for bound in bounds:
        print(bound)
    print(f"{figures['why']}\nreports: {', '.join(map(str, pages))}\nwrote {address}\nserve it: {_command(address)}")


def _command(address: str) -> str:
    """Return the command that serves a delivered file on this machine."""
    if Path(address).absolute() == SERVED_MODEL.absolute():
        return "make serve"
    path = address if address.startswith("gs://") else shlex.quote(str(Path(address).absolute()))
    return f"MODEL_PATH={path} make serve"


def _write_page(out: Path, served: Path, data: Dataset) -> None:
    """Write a page with the served file's answers to the photographs of `data.valid`."""
    model = Model.load(served)
    photos = spread(data.valid, MAX_COMPARED)
    files = [photo.path for photo in photos]
    shares = probabilities(logits_of(files, model, "page"), model.card.temperature)
    truth = np.array([photo.label for photo in photos], np.int64)
    write_page(out, f"{model.card.name} {model.card.version}", model.card.labels, files, truth, shares)


def quantize_custom(options: QuantizeOptions) -> None:
    """Quantize a float ONNX file and deliver it, in int8 if its bounds hold."""
    to = destination(options.out)
    float_file = Path(options.model)
    _require_servable(float_file)
    data = _data_of(float_file, options)
    if data is None:
        raise ExportError("missing --data: a folder of <class>/*.jpg to calibrate and to measure with")
    served, figures = quantized_if_good(float_file, data)
    for bound in figures["int8_bounds"]:
        print(bound)
    print(f"{figures['why']}\nwrote {deliver(served, to)}")


def verify_custom(options: VerifyOptions) -> None:
    """Compare the answers of a served file with those of its source.

    A float file may differ by 1e-4; an int8 file names 98 % alike. Raise `VerificationError` for what does not hold.
    """
    served_file = options.served
    _, _, model = _load(options)
    _require_servable(served_file)
    scale = options.scale or model.expects
    if scale is None:
        raise ExportError(scale_missing(options.model))
    pixels = _pixels(_data_of(served_file, options), served_file, model)
    bounds = compare_with_tensorflow(model, scale, served_file, pixels)
    if any(constant.data_type == onnx.TensorProto.INT8 for constant in onnx.load(served_file).graph.initializer):
        bounds = [Bound("TensorFlow and int8: same top-1", bounds[1].value, least=0.98)]
    for bound in bounds:
        print(bound)
    require(bounds)


def _load(options: SourceOptions) -> tuple[str, str, ImageModel]:
    """Return a model's name, its version, and the model by the contract."""
    file, name, version = locate(options.model, options.mlflow_store)
    if is_tflite(file):
        return name, version, load_tflite(file, options.input_size)
    source = load_source(options.model, options.mlflow_store, options.signature, options.output)
    return name, version, adapt(source, options.input_size)


def _read_off(model: ImageModel) -> str:
    """Return the facts found in the model itself, as lines for a person."""
    endings = {
        "softmax": "a softmax, left out: the file gives logits",
        "sigmoid": "a sigmoid, left out: the file gives logits, and the function answers with their softmax",
        "probabilities": "probabilities: the file gives their logarithms",
        "none": "logits",
    }
    maps = "yes" if model.has_class_maps else "none: no average pooling precedes the last layer"
    lines = [
        "found in the model:",
        f"  input: {model.size[0]} × {model.size[1]} pixels",
        f"  scale: {model.expects or 'not shown'}",
        f"  ends in {endings[model.activation]}",
        f"  class maps: {maps}",
        f"  labels: {'its own' if model.labels else 'none'}",
    ]
    return "\n".join([*lines, *([f"  note: {model.note}"] if model.note else [])])


def _told(options: ConvertOptions, scale: Scale, metadata: Metadata) -> str:
    """Return the facts of the served file that are not in the model itself, as lines for a person."""
    names = Catalogue()
    known = sum(names.find(label)["scientific_name"] is not None for label in metadata.labels)
    scaled_by = "--scale" if options.scale else "measured or read"
    return "\n".join(
        (
            "given or measured:",
            f"  name and version: {metadata.name} {metadata.version}",
            f"  scale: {scale} ({scaled_by})",
            f"  photos to squares: {metadata.resize.mode}",
            f"  labels: {len(metadata.labels)}, {known} of them in the species catalogue",
            f"  threshold: {metadata.reject_below:g}" + ("" if metadata.reject_below else ", no photo is rejected"),
            "figures:",
        )
    )


def _data_of(file: Path, options: QuantizeOptions | VerifyOptions) -> Dataset | None:
    """Return the photographs of --data with a converted file's labels. --labels maps ids to folder names."""
    if options.data is None:
        return None
    names = Model.load(file).card.labels
    orders = read_labels(options.labels) if options.labels else [Labels(names, names)]
    fitting = [labels for labels in orders if labels.names == names]
    if not fitting:
        raise ExportError(f"{options.labels} has other labels than {file}")
    return load_class_folders(options.data, fitting[0])


def _require_servable(file: Path) -> None:
    """Load the file as the function does, and let it look at a picture. Raise `ExportError` with what it would say."""
    try:
        model = Classifier(Settings(model_path=file)).model
        model.run(drawn_pictures((model.card.input_rule.height, model.card.input_rule.width), 1))
    except (ModelError, SettingsError) as error:
        raise ExportError(f"the function cannot serve this: {error}") from error
    except Exception as error:  # onnxruntime's errors share no class of their own
        reason = reason_of(error)
        raise ExportError(f"onnxruntime cannot compute this{named_in(reason)}: {reason}. {WAY_OUT}") from error


def _pixels(data: Dataset | None, file: Path, model: ImageModel) -> NDArray[np.uint8]:
    """Return photographs as the function shows them to the model; without any, drawn pictures."""
    if data is None:
        return drawn_pictures(model.size)
    return np.stack(list(pixels_of([photo.path for photo in spread(data.valid, MAX_COMPARED)], Model.load(file))))
