"""The steps that make the bundled model, its reports and its card."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .conversion.metadata import Metadata, Resize
from .conversion.scale import Scale
from .serving import SERVED_MODEL
from .training.dataset import load_dataset

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


@dataclass(frozen=True)
class BundledOptions:
    """Say where the photographs are, and where training keeps its checkpoints."""

    data: Path = DATA
    checkpoints: Path = BUILD / "checkpoints"


def _train(options: BundledOptions) -> None:
    from .training.train import train

    train(load_dataset(options.data), KERAS_MODEL, options.checkpoints)


def _adapted() -> "AdaptedModel":
    from .conversion.adapt import adapt
    from .conversion.source_model import load_source

    return adapt(load_source(KERAS_MODEL), INPUT_SIZE)


def _convert(options: BundledOptions) -> None:
    from .conversion.convert import convert

    labels = load_dataset(options.data).labels
    convert(_adapted(), SCALE, FLOAT_MODEL, Metadata(NAME, VERSION, labels, INPUT_SIZE, RESIZE, TRAINING_DATA))
    print(f"wrote {FLOAT_MODEL}")


def _quantize(options: BundledOptions) -> None:
    from .conversion.quantize import quantize

    quantize(FLOAT_MODEL, SERVED_MODEL, [photo.path for photo in load_dataset(options.data).train])
    print(f"wrote {SERVED_MODEL}")


def _evaluate(options: BundledOptions) -> None:
    from .training.negatives import collect
    from .validation.evaluate import evaluate

    data = load_dataset(options.data)
    report = evaluate(SERVED_MODEL, data, collect(BUILD / "not-flowers"), REPORTS / "evaluation.json")
    for split, names in (
        ("holdout", ("photos", "top1", "temperature", "reject_below")),
        ("valid", ("photos", "top1", "top5", "macro_f1", "expected_calibration_error", "identified")),
        ("not_flowers", ("pictures", "rejected")),
    ):
        print(f"{split}: " + ", ".join(f"{name} {report[split][name]}" for name in names))


def _verify(options: BundledOptions) -> None:
    from .validation.verify import verify

    photos = load_dataset(options.data).valid
    for bound in verify(_adapted(), SCALE, FLOAT_MODEL, SERVED_MODEL, photos, REPORTS / "verification.json"):
        print(bound)
    print(f"wrote {REPORTS / 'verification.json'} with accuracy, size and speed side by side")


def _card(_: BundledOptions) -> None:
    from .validation.model_card import write_model_card

    print(f"wrote {write_model_card(REPORTS, KERAS_MODEL.with_suffix('.history.json'), HERE)}")


def _all(options: BundledOptions) -> None:
    for step in (_convert, _quantize, _evaluate, _verify, _card):
        step(options)


STEPS: dict[str, tuple[Callable[[BundledOptions], None], str]] = {
    "train": (_train, "fine-tune the network: hours on two cores; resumes where it stopped"),
    "convert": (_convert, "convert the Keras model into a float ONNX model"),
    "quantize": (_quantize, "quantize the float model into the int8 file that is served"),
    "evaluate": (_evaluate, "fit temperature and threshold, measure on valid and on pictures of anything else"),
    "verify": (_verify, "prove that TensorFlow, float and int8 agree; fail if they do not"),
    "card": (_card, "write MODEL_CARD.md from the reports"),
    "all": (_all, "run everything but train, in this order"),
}
