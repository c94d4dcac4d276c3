"""Read, check, convert, verify and deliver a custom model; quantize it if that loses nothing."""

import re
import shlex
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from ..validation.measure import top_accuracy
from ..validation.report_page import write_page
from ..validation.verify import Bound, compare_quantized, compare_with_tensorflow, drawn_pictures, require, write_report
from .adapt import AdaptedModel, adapt
from .convert import WAY_OUT, convert, named_in
from .deliver import deliver, destination
from .labels import Labels, own_labels, read_labels, require_count
from .metadata import Metadata, Resize, read_metadata, save, write_metadata
from .options import ConvertOptions, QuantizeOptions, SourceOptions, VerifyOptions
from .preprocessing import choose, spread
from .quantize import quantize
from .scale import SCALES, Scale
from .source_model import load_source, locate
from .tflite_model import ImageModel, is_tflite, load_tflite

MOST_COMPARED = 500
LEAST_TO_JUDGE_INT8 = 100


def convert_custom(options: ConvertOptions, build: Path) -> None:
    """Convert a source model and deliver the file, in int8 if its bounds hold.

    Intermediate files and reports stay in `build/NAME-VERSION/`. Raise `ExportError`.
    """
    to = destination(options.out)
    name, version, model = _load(options)
    orders = _label_orders(options, model)
    rule = InputRule(*model.size, options.resize, 1.0)
    data = load_class_folders(options.data, orders[0]) if options.data else None
    scale, labels = _choice(options, model, orders, data, rule)
    metadata = Metadata(
        _valid(options.name, "--name") if options.name else _derived(name),
        _valid(options.version, "--version") if options.version else _derived(version),
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
    served, figures = _quantized_if_good(float_file, data if model.tolerance == AdaptedModel.tolerance else None)
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
    photos = spread(data.valid, MOST_COMPARED)
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
    served, figures = _quantized_if_good(float_file, data)
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
        raise ExportError(_scale_missing(options.model))
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


def _label_orders(options: ConvertOptions, model: ImageModel) -> list[Labels]:
    """Return the labels that were given, else the model's own. Raise `ExportError` if they do not fit."""
    own = own_labels(model.labels, options.model) if model.labels else None
    if options.labels is None:
        if own is None:
            raise ExportError("missing --labels: a JSON list, a JSON map from class id to label, or text lines")
        require_count(own, model.classes, options.model)
        return [own]
    orders = read_labels(options.labels)
    require_count(orders[0], model.classes, options.labels)
    if own and sorted(own.names) == sorted(orders[0].names):
        orders = [labels for labels in orders if labels.names == own.names]
        if not orders:
            raise ExportError(
                f"{options.labels} has the labels in another order than {options.model} itself: leave --labels out"
            )
    return orders


def _valid(text: str, option: str) -> str:
    """Return a name or version that fits an object's metadata, a header and a log. Raise `ExportError`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+ -]{0,99}", text):
        raise ExportError(f"{option} {text!r}: should be letters, digits, and . _ + - or spaces between")
    return text


def _derived(text: str) -> str:
    """Return the valid name that is nearest to `text`, which nobody chose."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", letters).strip("-._+")[:100] or "model"


def _scale_missing(model: str) -> str:
    return (
        f"{model} does not show what its pixel values were scaled to in training, and a wrong guess would only show as "
        f"wrong answers. Say it with --scale ({', '.join(SCALES)}), or give --data FOLDER with photographs in class "
        "folders to measure it. If your model wants something else, put that into it as its first layer."
    )


def _choice(
    options: ConvertOptions, model: ImageModel, orders: list[Labels], data: Dataset | None, rule: InputRule
) -> tuple[Scale, Labels]:
    """Return the scale and order that were given, that the model shows, or that the photographs show.

    Raise `ExportError` if none of them decides.
    """
    scale: Scale | None = options.scale or model.expects
    order = options.label_order if len(orders) > 1 else None
    if data:
        return choose(model, scale, order, orders, data, rule)
    if scale is None:
        raise ExportError(_scale_missing(options.model))
    if len(orders) > 1 and order is None:
        raise ExportError(
            f"the ids of {options.labels} are in another order as numbers ({orders[1].folders[0]}, "
            f"{orders[1].folders[1]}, …) than as texts ({orders[0].folders[0]}, {orders[0].folders[1]}, …). Keras's "
            "image_dataset_from_directory sorts class folders as texts: --label-order text. Where the outputs were "
            "numbered by the ids: --label-order numeric. Or give --data FOLDER to measure it."
        )
    if options.scale and model.expects and options.scale != model.expects:
        print(f"note: the model's first layers are made for pixels of the scale {model.expects}, not {options.scale}")
    return scale, next(labels for labels in orders if order in (None, labels.order))


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
    return np.stack(list(pixels_of([photo.path for photo in spread(data.valid, MOST_COMPARED)], Model.load(file))))


def _quantize(float_file: Path, int8_file: Path, data: Dataset) -> None:
    """Quantize with the training photographs. Raise `ExportError` for any error of onnxruntime."""
    try:
        quantize(float_file, int8_file, [photo.path for photo in data.train])
    except ExportError:
        raise
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise ExportError(f"onnxruntime cannot quantize this model: {error}") from error


def _quantized_if_good(float_file: Path, data: Dataset | None) -> tuple[Path, dict[str, Any]]:
    """Return the file to serve, and figures: `why` it is served, and the `int8_bounds` that were tested."""
    figures: dict[str, Any] = {"int8_bounds": []}
    if data is None:
        why = "there are no photographs (--data) to calibrate int8 with, or the model is in integers already"
        return float_file, {**figures, "served": "float", "why": f"served in float: {why}"}
    int8_file = float_file.with_name("int8.onnx")
    photos = spread(data.valid, MOST_COMPARED)
    truth = np.array([photo.label for photo in photos], np.int64)
    logits = logits_of([photo.path for photo in photos], Model.load(float_file), "valid")
    enough = Bound("photos compared", len(photos), least=LEAST_TO_JUDGE_INT8)
    try:
        if not enough.holds:
            raise ExportError(str(enough))
        _quantize(float_file, int8_file, data)
        pixels = np.stack(list(pixels_of([photo.path for photo in photos], Model.load(float_file))))
        bounds, measured = compare_quantized(float_file, int8_file, pixels, truth)
        figures |= {"int8_bounds": [enough, *bounds], **measured}
        require(bounds)
        served, kind, why = int8_file, "int8", "served in int8: all its bounds hold"
    except ExportError as error:
        served, kind, why = float_file, "float", f"served in float, for int8 is not good enough or not proven: {error}"
    if kind == "int8":
        logits = logits_of([photo.path for photo in photos], Model.load(int8_file), "valid")
    top1 = round(top_accuracy(probabilities(logits, 1.0), truth), 4)
    proto = onnx.load(served)
    card = read_metadata(proto)
    accuracy = {"split": "valid", "photos": len(photos), "top1": top1}
    write_metadata(proto, replace(card, accuracy=accuracy))
    delivered = served.with_name("served.onnx")
    save(proto, delivered)
    return delivered, {
        **figures,
        "served": kind,
        "why": f"{why}\ntop-1 {top1 * 100:.1f} % of {len(photos)} photographs",
    }
