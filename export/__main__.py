"""`python -m export …`: train, convert, quantize, evaluate, verify and describe the model that the function serves."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

# TensorFlow's notices of missing graphics cards would bury the figures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from .conversion.labels import Order
from .conversion.metadata import Metadata, Resize
from .conversion.scale import SCALES, Scale
from .errors import ExportError
from .serving import SERVED_MODEL
from .training.dataset import Dataset, load_dataset

if TYPE_CHECKING:
    from .conversion.adapt import AdaptedModel

HERE = Path(__file__).parent
KERAS_MODEL = HERE / "flowers.keras"
BUILD = HERE / "build"
DATA = Path("../shared/flowers102")
FLOAT_MODEL = BUILD / "flowers-float.onnx"
REPORTS = HERE / "reports"
NAME = "flowers-efficientnet-lite0"
VERSION = "1.1.1"
INPUT_SIZE = (224, 224)
SCALE: Scale = "raw"
# On the holdout 0.875, 0.95 and 1 of the short side name 97.7, 97.7 and 97.5 % right: the most that costs nothing.
RESIZE = Resize("crop", 0.95)
TRAINING_DATA = "Oxford Flowers-102 (Nilsback and Zisserman, ICVGIP 2008), 80 % split"


def _train(data: Dataset, arguments: argparse.Namespace) -> None:
    from .training.train import train

    train(data, KERAS_MODEL, arguments.checkpoints)


def _bundled() -> "AdaptedModel":
    from .conversion.adapt import adapt
    from .conversion.source_model import load_source

    return adapt(load_source(KERAS_MODEL), INPUT_SIZE)


def _convert(data: Dataset, _: argparse.Namespace) -> None:
    from .conversion.convert import convert

    convert(_bundled(), SCALE, FLOAT_MODEL, Metadata(NAME, VERSION, data.labels, INPUT_SIZE, RESIZE, TRAINING_DATA))
    print(f"wrote {FLOAT_MODEL}")


def _quantize(data: Dataset, _: argparse.Namespace) -> None:
    from .conversion.quantize import quantize

    quantize(FLOAT_MODEL, SERVED_MODEL, [photo.path for photo in data.train])
    print(f"wrote {SERVED_MODEL}")


def _evaluate(data: Dataset, _: argparse.Namespace) -> None:
    from .training.negatives import collect
    from .validation.evaluate import evaluate

    report = evaluate(SERVED_MODEL, data, collect(BUILD / "not-flowers"), REPORTS / "evaluation.json")
    for split, names in (
        ("holdout", ("photos", "top1", "temperature", "reject_below")),
        ("valid", ("photos", "top1", "top5", "macro_f1", "expected_calibration_error", "identified")),
        ("not_flowers", ("pictures", "rejected")),
    ):
        print(f"{split}: " + ", ".join(f"{name} {report[split][name]}" for name in names))


def _verify(data: Dataset, _: argparse.Namespace) -> None:
    from .validation.verify import verify

    for bound in verify(_bundled(), SCALE, FLOAT_MODEL, SERVED_MODEL, data.valid, REPORTS / "verification.json"):
        print(bound)
    print(f"wrote {REPORTS / 'verification.json'} with accuracy, size and speed side by side")


def _card(_data: Dataset, _: argparse.Namespace) -> None:
    from .validation.model_card import write_model_card

    print(f"wrote {write_model_card(REPORTS, KERAS_MODEL.with_suffix('.history.json'), HERE)}")


def _all(data: Dataset, arguments: argparse.Namespace) -> None:
    for step in (_convert, _quantize, _evaluate, _verify, _card):
        step(data, arguments)


COMMANDS: dict[str, tuple[Callable[[Dataset, argparse.Namespace], None], str]] = {
    "train": (_train, "fine-tune the network: hours on two cores; goes on where it was stopped"),
    "convert": (_convert, "the Keras model as a float ONNX model"),
    "quantize": (_quantize, "the float model as the int8 file that is served"),
    "evaluate": (_evaluate, "fit temperature and threshold, measure on valid and on pictures of anything else"),
    "verify": (_verify, "prove that TensorFlow, float and int8 agree; fails where they do not"),
    "card": (_card, "write MODEL_CARD.md from the reports"),
    "all": (_all, "everything but train, in this order"),
}


def _own(command: str, arguments: argparse.Namespace) -> None:
    from .conversion.custom_model import convert_own, quantize_own, verify_own

    if command == "convert":
        convert_own(arguments, BUILD)
    elif command == "quantize":
        quantize_own(arguments)
    else:
        verify_own(arguments)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.lower().split("x"))
    if min(height, width) < 1:
        raise ValueError
    return height, width


def _add_own_model_options(command: argparse.ArgumentParser, name: str) -> None:
    """The options of a model from elsewhere: all of them say what cannot be read off the model."""
    own = command.add_argument_group("a model of your own")
    takes = (
        "the float ONNX file"
        if name == "quantize"
        else ".keras, .h5, SavedModel or MLflow folder, models:/NAME/VERSION"
    )
    own.add_argument("--model", help=f"{takes}; without it, the bundled model")
    own.add_argument("--labels", type=Path, help="JSON list, JSON map from class id to label, or text lines")
    if name == "verify":
        own.add_argument("--served", type=Path, help="the ONNX file to compare with the model")
    else:
        own.add_argument("--out", help="folder, file .onnx, or gs://bucket/models/NAME/VERSION/")
    if name != "quantize":
        own.add_argument(
            "--mlflow-store", type=Path, default=Path("mlruns"), help="the file store of models:/… (mlruns)"
        )
        own.add_argument("--input-size", type=_size, metavar="HEIGHTxWIDTH", help="where the model takes any size")
        own.add_argument("--scale", choices=SCALES, help="what pixel values 0..255 are turned into before the model")
    if name == "convert":
        own.add_argument("--label-order", choices=get_args(Order), help="how the ids of a map of labels are sorted")
        own.add_argument("--resize", choices=("stretch", "crop"), default="stretch", help="photos to squares (stretch)")
        own.add_argument("--name", help="as results quote it (the file's name)")
        own.add_argument("--version", help="as results quote it (the beginning of the file's digest)")
        own.add_argument(
            "--threshold", type=_share, default=0.0, help="confidence, 0..1, below which a photo is rejected"
        )


def main() -> None:
    """Runs one command; exits with a message where something is missing or a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument(
            "--data",
            type=Path,
            help=f"folder of train/, valid/ and classes.json ({DATA}); for a model of your own, of class folders",
        )
        if name == "train":
            command.add_argument(
                "--checkpoints", type=Path, default=BUILD / "checkpoints", help="where each epoch leaves its state"
            )
        if name in ("convert", "quantize", "verify"):
            _add_own_model_options(command, name)
    arguments = parser.parse_args()
    run, _ = COMMANDS[arguments.command]
    try:
        if getattr(arguments, "model", None):
            _own(arguments.command, arguments)
        else:
            run(load_dataset(arguments.data or DATA), arguments)
    except ExportError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
