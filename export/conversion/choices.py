"""Choose labels, scale, name and version of a custom model: from the options, the model or photographs."""

import re
import unicodedata

from ..errors import ExportError
from ..serving import InputRule
from ..training.dataset import Dataset
from .labels import Labels, own_labels, read_labels, require_count
from .options import ConvertOptions
from .preprocessing import choose
from .scale import SCALES, Scale
from .tflite_model import ImageModel


def label_orders(options: ConvertOptions, model: ImageModel) -> list[Labels]:
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


def choose_scale_and_labels(
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
        raise ExportError(scale_missing(options.model))
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


def scale_missing(model: str) -> str:
    """Return the message for a model whose scale nothing tells."""
    return (
        f"{model} does not show what its pixel values were scaled to in training, and a wrong guess would only show as "
        f"wrong answers. Say it with --scale ({', '.join(SCALES)}), or give --data FOLDER with photographs in class "
        "folders to measure it. If your model wants something else, put that into it as its first layer."
    )


def valid_name(text: str, option: str) -> str:
    """Return a name or version that fits an object's metadata, a header and a log. Raise `ExportError`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+ -]{0,99}", text):
        raise ExportError(f"{option} {text!r}: should be letters, digits, and . _ + - or spaces between")
    return text


def derived_name(text: str) -> str:
    """Return the valid name that is nearest to `text`, which nobody chose."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", letters).strip("-._+")[:100] or "model"
