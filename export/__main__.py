"""`python -m export …`: train, convert, quantize, evaluate, verify and describe the model that the function serves."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

# TensorFlow's notices of missing graphics cards would bury the figures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from .contract import Metadata, Resize
from .dataset import Dataset, load_dataset
from .errors import ExportError
from .serving import SERVED_MODEL

HERE = Path(__file__).parent
KERAS_MODEL = HERE / "flowers.keras"
BUILD = HERE / "build"
FLOAT_MODEL = BUILD / "flowers-float.onnx"
REPORTS = HERE / "reports"
NAME = "flowers-efficientnet-lite0"
VERSION = "1.1.0"
INPUT_SIZE = (224, 224)
# On the holdout 0.875, 0.95 and 1 of the short side name 97.7, 97.7 and 97.5 % right: the most that costs nothing.
RESIZE = Resize("crop", 0.95)
TRAINING_DATA = "Oxford Flowers-102 (Nilsback and Zisserman, ICVGIP 2008), 80 % split"


def _train(data: Dataset, arguments: argparse.Namespace) -> None:
    from .train import train

    train(data, KERAS_MODEL, arguments.checkpoints)


def _convert(data: Dataset, _: argparse.Namespace) -> None:
    from .convert import convert

    convert(KERAS_MODEL, FLOAT_MODEL, Metadata(NAME, VERSION, data.labels, INPUT_SIZE, RESIZE, TRAINING_DATA))
    print(f"wrote {FLOAT_MODEL}")


def _quantize(data: Dataset, _: argparse.Namespace) -> None:
    from .quantize import quantize

    quantize(FLOAT_MODEL, SERVED_MODEL, [photo.path for photo in data.train])
    print(f"wrote {SERVED_MODEL}")


def _evaluate(data: Dataset, _: argparse.Namespace) -> None:
    from .evaluate import evaluate
    from .not_flowers import collect

    report = evaluate(SERVED_MODEL, data, collect(BUILD / "not-flowers"), REPORTS / "evaluation.json")
    for split, names in (
        ("holdout", ("photos", "top1", "temperature", "reject_below")),
        ("valid", ("photos", "top1", "top5", "macro_f1", "expected_calibration_error", "identified")),
        ("not_flowers", ("pictures", "rejected")),
    ):
        print(f"{split}: " + ", ".join(f"{name} {report[split][name]}" for name in names))


def _verify(data: Dataset, _: argparse.Namespace) -> None:
    from .verify import verify

    for bound in verify(KERAS_MODEL, FLOAT_MODEL, SERVED_MODEL, data, REPORTS / "verification.json"):
        print(bound)
    print(f"wrote {REPORTS / 'verification.json'} with accuracy, size and speed side by side")


def _card(_data: Dataset, _: argparse.Namespace) -> None:
    from .model_card import write_model_card

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


def main() -> None:
    """Runs one command; exits with a message where something is missing or a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument(
            "--data", type=Path, default=Path("../shared/flowers102"), help="folder of train/, valid/ and classes.json"
        )
        if name == "train":
            command.add_argument(
                "--checkpoints", type=Path, default=BUILD / "checkpoints", help="where each epoch leaves its state"
            )
    arguments = parser.parse_args()
    run, _ = COMMANDS[arguments.command]
    try:
        run(load_dataset(arguments.data), arguments)
    except ExportError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
