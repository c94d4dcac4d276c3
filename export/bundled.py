"""Make the bundled model, its reports and its card, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .conversion.metadata import Metadata, Resize
from .conversion.scale import Scale
from .serving import SERVED_MODEL
from .training.dataset import Dataset, known, load_dataset

if TYPE_CHECKING:
    from .conversion.adapt import AdaptedModel

HERE = Path(__file__).parent
KERAS_MODEL = HERE / "flowers.keras"
BUILD = HERE / "build"
DATA = (Path("../shared/flowers102"), Path("../shared/flowers-elsewhere"))
FLOAT_MODEL = BUILD / "flowers-float.onnx"
REPORTS = HERE / "reports"
NAME = "flowers-efficientnet-lite0"
VERSION = "2.0.0"
INPUT_SIZE = (224, 224)
SCALE: Scale = "raw"
RESIZE = Resize("crop", 1.0)
# The middle three quarters, for photographs whose best two logits are close.
CLOSER = {"fraction": 0.75, "margin": 1.0}
TRAINING_DATA = (
    "Oxford Flowers-102 (Nilsback and Zisserman, ICVGIP 2008), 80 % split; photographs from elsewhere: TensorFlow's "
    "five kinds, Oxford Flowers-17, and six collections of garden and wild flowers and everyday scenes"
)
SUMMARY = ("photos", "top1", "top5", "expected_calibration_error", "identified", "identified_right")


@dataclass(frozen=True)
class BundledOptions:
    """Say where the photographs and the Keras model are, and how a training run begins.

    `leave_out` names sources that are tested on and never trained on. `start` is a Keras model to begin with instead of
    ImageNet's weights. `keras` is what `train` writes and every other step reads. `name` is that of a trial.
    """

    data: tuple[Path, ...] = DATA
    leave_out: tuple[str, ...] = ()
    keras: Path = KERAS_MODEL
    checkpoints: Path = BUILD / "checkpoints"
    start: Path | None = None
    epochs: int | None = None
    name: str = "trial"


@dataclass(frozen=True)
class GatherOptions:
    """Say where the published archives are, or go, and where the training folder is written."""

    archives: Path = BUILD / "archives"
    out: Path = BUILD / "photographs"


@dataclass(frozen=True)
class AverageOptions:
    """Say which trained runs are averaged, and where the mean is written."""

    runs: tuple[Path, ...]
    keras: Path = KERAS_MODEL


def average(options: AverageOptions) -> None:
    """Average trained runs."""
    from .training import average as averaging

    averaging.average(options.runs, options.keras)
    print(f"wrote {options.keras}")


def gather(options: GatherOptions) -> None:
    """Build a training folder from public archives."""
    from .training import gather as gathering

    count = gathering.gather(options.archives, options.out)
    print(f"wrote {count} photographs to {options.out}. Next: python -m export train --data {options.out}")


def _data(options: BundledOptions) -> Dataset:
    return load_dataset(options.data, options.leave_out)


def _train(options: BundledOptions) -> None:
    from .training.train import Recipe, train

    recipe = Recipe(leave_out=options.leave_out)
    if options.epochs:
        recipe = recipe.shortened(options.epochs)
    train(_data(options), options.keras, options.checkpoints, recipe, options.start)
    print(f"wrote {options.keras}")


def _adapted(options: BundledOptions) -> "AdaptedModel":
    from .conversion.adapt import adapt
    from .conversion.source_model import load_source

    return adapt(load_source(options.keras), INPUT_SIZE)


def _convert(options: BundledOptions) -> None:
    from .conversion.convert import convert

    metadata = Metadata(NAME, VERSION, _data(options).labels, INPUT_SIZE, RESIZE, TRAINING_DATA, closer=CLOSER)
    convert(_adapted(options), SCALE, FLOAT_MODEL, metadata)
    print(f"wrote {FLOAT_MODEL}")


def _quantize(options: BundledOptions) -> None:
    from .conversion.quantize import quantize

    quantize(FLOAT_MODEL, SERVED_MODEL, [photo.path for photo in _data(options).train])
    print(f"wrote {SERVED_MODEL}")


def _evaluate(options: BundledOptions) -> None:
    from .training.negatives import collect
    from .validation.evaluate import evaluate

    report = evaluate(SERVED_MODEL, _data(options), collect(BUILD / "negatives"), REPORTS / "evaluation.json")
    _print_report(report)


def _print_report(report: dict[str, Any]) -> None:
    held = report["holdout"]
    print(f"temperature {held['temperature']}, threshold {held['reject_below']}")
    for side, figures in report["valid"].items():
        print(f"{side}: " + ", ".join(f"{name} {value}" for name, value in figures.items() if name in SUMMARY))
    for source, figures in report["sources"].items():
        print(f"{source}: " + ", ".join(f"{name} {value}" for name, value in figures.items() if value is not None))
    for kind, figures in (report["others"] | report["no_flowers"]).items():
        print(f"{kind}: {figures['pictures']} pictures, {figures['named']:.1%} given a name")


def _trial(options: BundledOptions) -> None:
    from .validation.evaluate import evaluate
    from .validation.runs import add_run

    _convert(options)
    report = evaluate(FLOAT_MODEL, _data(options), [], BUILD / "trial.json")
    _print_report(report)
    print(f"wrote {add_run(options.name, report, REPORTS / 'runs.json')}")


def _verify(options: BundledOptions) -> None:
    from .validation.verify import verify

    photos = known(_data(options).valid)
    for bound in verify(_adapted(options), SCALE, FLOAT_MODEL, SERVED_MODEL, photos, REPORTS / "verification.json"):
        print(bound)
    print(f"wrote {REPORTS / 'verification.json'} with accuracy, size and speed side by side")


def _card(options: BundledOptions) -> None:
    from .validation.model_card import write_model_card

    print(f"wrote {write_model_card(REPORTS, options.keras.with_suffix('.history.json'), HERE)}")


def _all(options: BundledOptions) -> None:
    for step in (_convert, _quantize, _evaluate, _verify, _card):
        step(options)


STEPS: dict[str, tuple[Callable[[BundledOptions], None], str]] = {
    "train": (_train, "fine-tune the network: hours on two cores; resumes where it stopped"),
    "trial": (_trial, "measure a trained run on sources that it never saw, and add it to the card's table of runs"),
    "convert": (_convert, "convert the Keras model into a float ONNX model"),
    "quantize": (_quantize, "quantize the float model into the int8 file that is served"),
    "evaluate": (_evaluate, "fit temperature and threshold, measure on valid and on pictures of anything else"),
    "verify": (_verify, "prove that TensorFlow, float and int8 agree; fail if they do not"),
    "card": (_card, "write MODEL_CARD.md from the reports"),
    "all": (_all, "convert, quantize, evaluate, verify and write the card"),
}
