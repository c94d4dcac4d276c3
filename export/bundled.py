"""Make the bundled model, its reports and its card, step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
class NoOptions:
    """Hold nothing, for a step that reads no option."""


@dataclass(frozen=True)
class DataOptions:
    """Say where the photographs are."""

    data: tuple[Path, ...] = DATA


@dataclass(frozen=True)
class TrainOptions(DataOptions):
    """Say what a training run begins with, leaves out and writes.

    `leave_out` names sources that are tested on and never trained on. `start` is a Keras model to begin with instead of
    ImageNet's weights.
    """

    leave_out: tuple[str, ...] = ()
    keras: Path = KERAS_MODEL
    checkpoints: Path = BUILD / "checkpoints"
    start: Path | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class TrialOptions(DataOptions):
    """Say which trained run to measure, on which sources, and its name in the table of runs."""

    leave_out: tuple[str, ...] = ()
    keras: Path = KERAS_MODEL
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


BundledOptions = NoOptions | DataOptions | TrainOptions | TrialOptions | GatherOptions | AverageOptions


class Step(NamedTuple):
    """Describe a command about the bundled model: what it runs, and the options that it reads."""

    run: Callable[[Any], None]
    options: type[BundledOptions]
    description: str


def _average(options: AverageOptions) -> None:
    from .training.average import average

    average(options.runs, options.keras)
    print(f"wrote {options.keras}")


def _gather(options: GatherOptions) -> None:
    from .training.gather import gather

    count = gather(options.archives, options.out)
    print(f"wrote {count} photographs to {options.out}. Next: python -m export train --data {options.out}")


def _train(options: TrainOptions) -> None:
    from .training.train import Recipe, train

    recipe = Recipe(leave_out=options.leave_out)
    if options.epochs:
        recipe = recipe.shortened(options.epochs)
    train(load_dataset(options.data, options.leave_out), options.keras, options.checkpoints, recipe, options.start)
    print(f"wrote {options.keras}")


def _adapted(keras: Path, size: tuple[int, int] = INPUT_SIZE) -> "AdaptedModel":
    from .conversion.adapt import adapt
    from .conversion.source_model import load_source

    return adapt(load_source(keras), size)


def _convert(options: DataOptions) -> None:
    _write_float_model(KERAS_MODEL, load_dataset(options.data), FLOAT_MODEL)


def _write_float_model(keras: Path, data: Dataset, out: Path, size: tuple[int, int] = INPUT_SIZE) -> None:
    from .conversion.convert import convert

    metadata = Metadata(NAME, VERSION, data.labels, size, RESIZE, TRAINING_DATA, closer=CLOSER)
    convert(_adapted(keras, size), SCALE, out, metadata)
    print(f"wrote {out}")


def _quantize(options: DataOptions) -> None:
    from .conversion.quantize import quantize

    quantize(FLOAT_MODEL, SERVED_MODEL, [photo.path for photo in load_dataset(options.data).train])
    print(f"wrote {SERVED_MODEL}")


def _evaluate(options: DataOptions) -> None:
    from .training.negatives import collect
    from .validation.evaluate import evaluate

    report = evaluate(
        SERVED_MODEL, load_dataset(options.data), collect(BUILD / "negatives"), REPORTS / "evaluation.json"
    )
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


def _trial(options: TrialOptions) -> None:
    from .validation.evaluate import evaluate
    from .validation.runs import add_run

    data = load_dataset(options.data, options.leave_out)
    _write_float_model(options.keras, data, FLOAT_MODEL)
    report = evaluate(FLOAT_MODEL, data, [], BUILD / "trial.json")
    _print_report(report)
    print(f"wrote {add_run(options.name, report, REPORTS / 'runs.json')}")


def _sizes(options: DataOptions) -> None:
    from .conversion.quantize import quantize
    from .validation.sizes import compare_sizes

    data = load_dataset(options.data)

    def make(size: int) -> Path:
        unquantized, served = BUILD / f"flowers-float-{size}.onnx", BUILD / f"flowers-{size}.onnx"
        _write_float_model(KERAS_MODEL, data, unquantized, (size, size))
        quantize(unquantized, served, [photo.path for photo in data.train])
        return served

    print(f"wrote {compare_sizes(make, known(data.valid), data.train[0].source, REPORTS / 'sizes.json')}")


def _verify(options: DataOptions) -> None:
    from .validation.verify import verify

    photos = known(load_dataset(options.data).valid)
    for bound in verify(_adapted(KERAS_MODEL), SCALE, FLOAT_MODEL, SERVED_MODEL, photos, REPORTS / "verification.json"):
        print(bound)
    print(f"wrote {REPORTS / 'verification.json'} with accuracy, size and speed side by side")


def _card(_: NoOptions) -> None:
    from .validation.model_card import write_model_card

    print(f"wrote {write_model_card(REPORTS, KERAS_MODEL.with_suffix('.history.json'), HERE)}")


def _all(options: DataOptions) -> None:
    for step in (_convert, _quantize, _evaluate, _verify):
        step(options)
    _card(NoOptions())


STEPS = {
    "gather": Step(_gather, GatherOptions, "build a training folder from public archives, fetched if absent"),
    "train": Step(_train, TrainOptions, "fine-tune the network: hours on two cores; resumes where it stopped"),
    "average": Step(_average, AverageOptions, "average the weights of trained runs of one network"),
    "trial": Step(
        _trial, TrialOptions, "measure a trained run on sources that it never saw, and add it to the table of runs"
    ),
    "convert": Step(_convert, DataOptions, "convert the Keras model into a float ONNX model"),
    "quantize": Step(_quantize, DataOptions, "quantize the float model into the int8 file that is served"),
    "evaluate": Step(_evaluate, DataOptions, "fit temperature and threshold, measure on valid and on other pictures"),
    "verify": Step(_verify, DataOptions, "prove that TensorFlow, float and int8 agree; fail if they do not"),
    "sizes": Step(_sizes, DataOptions, "compare accuracy and milliseconds of three input sizes"),
    "card": Step(_card, NoOptions, "write MODEL_CARD.md from the reports"),
    "all": Step(_all, DataOptions, "convert, quantize, evaluate, verify and write the card"),
}
