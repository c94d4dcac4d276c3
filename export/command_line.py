"""Read the words after `python -m export` as typed options."""

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

from .bundled import BUILD, DATA, KERAS_MODEL, STEPS, BundledOptions
from .conversion.labels import Order
from .conversion.options import ConvertOptions, QuantizeOptions, VerifyOptions
from .conversion.scale import SCALE_NAMES
from .errors import ExportError
from .review.run import LEAST_SURE, CollectOptions

Options = BundledOptions | CollectOptions | ConvertOptions | QuantizeOptions | VerifyOptions
CUSTOM: dict[str, type[ConvertOptions | QuantizeOptions | VerifyOptions]] = {
    "convert": ConvertOptions,
    "quantize": QuantizeOptions,
    "verify": VerifyOptions,
}

_OPTIONS_OF_STEPS: dict[str, dict[str, Any]] = {
    "archives": {"type": Path, "help": "folder of the published archives"},
    "checkpoints": {"type": Path, "help": f"where each epoch leaves its state ({BUILD}/…)"},
    "data": {
        "type": Path,
        "nargs": "+",
        "action": "extend",
        "help": f"folders of train/, valid/ and classes.json ({' '.join(map(str, DATA))}); for a model of your own, "
        "one folder of class folders",
    },
    "epochs": {"type": int, "help": "shorten the run, for a comparison"},
    "keras": {"type": Path, "help": f"Keras model of the run ({KERAS_MODEL.name})"},
    "leave_out": {
        "nargs": "+",
        "action": "extend",
        "metavar": "SOURCE",
        "help": "sources to test on, not to train on",
    },
    "name": {"help": "name of the run in the table of runs"},
    "out": {"type": Path, "help": "training folder to write"},
    "runs": {"type": Path, "nargs": "+", "help": "Keras models with their histories beside them"},
    "start": {"type": Path, "help": "Keras model to start from (ImageNet's weights)"},
}


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.lower().split("x"))
    if min(height, width) < 1:
        raise ValueError
    return height, width


def _add_custom_options(command: argparse.ArgumentParser, name: str) -> None:
    """Add the options of a custom model: what the model itself does not tell."""
    custom = command.add_argument_group("a model of your own")
    takes = (
        "float ONNX file"
        if name == "quantize"
        else "Keras, SavedModel, .tflite, .pb, MLflow folder or models:/NAME/VERSION"
    )
    custom.add_argument("--model", help=f"{takes}; without it, the bundled model")
    custom.add_argument("--labels", type=Path, help="JSON list or map, or text lines")
    if name == "verify":
        custom.add_argument("--served", type=Path, help="ONNX file to compare with the model")
    else:
        custom.add_argument("--out", help="folder, file .onnx, or gs://bucket/models/NAME/VERSION/")
    if name != "quantize":
        custom.add_argument("--mlflow-store", type=Path, help="file store of models:/… (mlruns)")
        custom.add_argument("--input-size", type=_size, metavar="HEIGHTxWIDTH", help="if the model takes any size")
        custom.add_argument(
            "--scale",
            choices=list(SCALE_NAMES),
            help="what the pixel values 0..255 became in training (unit: 0..1, symmetric: -1..1)",
        )
        custom.add_argument("--signature", help="signature of a SavedModel, if it has several")
        custom.add_argument("--output", help="output of the model that has the classes' scores, if it has several")
    if name == "convert":
        custom.add_argument("--label-order", choices=get_args(Order), help="how the ids of a map of labels were sorted")
        custom.add_argument("--resize", choices=("stretch", "crop"), help="how photos became that size (stretch)")
        custom.add_argument("--name", help="quoted by every result (the file's name)")
        custom.add_argument("--version", help="quoted by every result (the beginning of the file's digest)")
        custom.add_argument("--threshold", type=_share, help="confidence, 0..1, below which a photo is rejected (0)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Train, convert, quantize, evaluate, verify and describe the model that the function serves.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, step in STEPS.items():
        command = _add_command(commands, name, step.description)
        for field in fields(step.options):
            option = field.name if field.default is MISSING else f"--{field.name.replace('_', '-')}"
            command.add_argument(option, **_OPTIONS_OF_STEPS[field.name])
        if name in CUSTOM:
            _add_custom_options(command, name)
    command = _add_command(commands, "collect", "review archived photos, make a training folder of what is accepted")
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--archive", help="copy photos for a review from gs://BUCKET, gs://BUCKET/2026/11 or a folder")
    source.add_argument("--decisions", type=Path, help="decisions.json of the page, or JSON that Label Studio exported")
    command.add_argument("--out", type=Path, required=True, help="folder of review/ and of the training folder")
    command.add_argument("--least-sure", type=_count, metavar="N", help=f"photos without a correction ({LEAST_SURE})")
    return parser


def _add_command(commands: Any, name: str, description: str) -> argparse.ArgumentParser:
    """Add a subcommand. Its defaults are those of its option class."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=description, description=description, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    return command


def _joined(words: Sequence[str]) -> list[str]:
    """Write `--scale -1..1` as `--scale=-1..1`: argparse takes a word that begins with a dash for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--scale" and word in SCALE_NAMES:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def parse(words: Sequence[str]) -> tuple[str, Options]:
    """Return the command and its options. Raise `ExportError` if one is missing or does not belong to it."""
    values = vars(_parser().parse_args(_joined(words)))
    command = values.pop("command")
    if "scale" in values:
        values["scale"] = SCALE_NAMES[values["scale"]]
    if command == "collect":
        if "decisions" in values and "least_sure" in values:
            raise ExportError("--least-sure belongs to --archive: the decisions are about photos that are collected")
        return command, CollectOptions(**values)
    custom = "model" in values
    kind = CUSTOM[command] if custom else STEPS[command].options
    if custom and "data" in values:
        if len(values["data"]) > 1:
            raise ExportError("--data: give one folder of class folders for a model of your own")
        values["data"] = values["data"][0]
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    strange = sorted(values.keys() - {field.name for field in fields(kind)})
    if strange:
        raise ExportError(f"--{strange[0].replace('_', '-')} belongs to a model of your own: give it as --model")
    for field in fields(kind):
        if field.default is MISSING and field.name not in values:
            raise ExportError(f"missing --{field.name}: see python -m export {command} --help")
    return command, kind(**values)
