"""Make one row of the zoo: a model of `keras.applications` in one form, from its file to an answered request.

    python -m tests.support.zoo MobileNetV2 export FOLDER

Print the row as JSON. A process of its own keeps the memory of one model from adding to the next.
"""

import contextlib
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from export import __main__ as commands
from export.serving import Model
from tests.support.drawn_flower import draw_flower, encode
from tests.support.paths import ROOT

# The smallest of each family, which fit a machine of 2 cores. VGG's 400 MB of weights make it the heaviest.
FAMILIES = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2"),
    *("VGG16", "Xception"),
)
FORMS = ("keras", "h5", "keras 2 SavedModel", "export")
TFLITE_FAMILIES = ("EfficientNetB0", "MobileNetV2", "ResNet50")
ROWS = (
    *((family, "tflite") for family in TFLITE_FAMILIES),
    *((family, form) for form in FORMS for family in FAMILIES),
)
REDUCED = (("MobileNetV3Small", "keras"), ("ConvNeXtTiny", "export"), ("MobileNetV2", "tflite"))
CLASSES = 5
# Rows are recorded as they finish, so that an interrupted run goes on where it was. Delete the file to begin anew.
RECORD = ROOT / "export" / "build" / "zoo.jsonl"
README = ROOT / "export" / "README.md"
_BEGIN, _END = "<!-- zoo: written by make test-zoo -->", "<!-- end of zoo -->"


def save(family: str, form: str, folder: Path) -> Path:
    """Save a model with random weights in a form."""
    if form == "keras 2 SavedModel":
        import tf_keras as library
    else:
        import keras as library  # type: ignore[no-redef,unused-ignore]
    library.utils.set_random_seed(7)
    build = getattr(library.applications, family, None)
    if build is None:
        raise SystemExit(f"Keras 2 has no {family}")
    side = 299 if "ception" in family else 224
    model = build(input_shape=(side, side, 3), weights=None, classes=CLASSES)
    file = folder / f"{family}{ {'keras': '.keras', 'h5': '.h5', 'tflite': '.tflite'}.get(form, '') }"
    if form == "export":
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(file)
    elif form == "tflite":
        import tensorflow as tf

        file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    else:
        model.save(file)
    return file


def _convert(file: Path, folder: Path) -> tuple[Path, float]:
    """Convert a file by the command line; return the served file, and the largest difference from TensorFlow."""
    labels = folder / "labels.json"
    labels.write_text(json.dumps([f"kind {number}" for number in range(CLASSES)]))
    vars(commands)["BUILD"] = folder / "build"
    out = folder / "served.onnx"
    words = ["convert", "--model", str(file), "--labels", str(labels), "--out", str(out), "--scale", "raw"]
    sys.argv = ["export", *words]
    with contextlib.redirect_stdout(io.StringIO()):
        commands.main()
    [report] = (folder / "build").glob("*/verification.json")
    bounds = json.loads(report.read_text())["bounds"]
    return out, next(bound["value"] for bound in bounds if "largest probability difference" in bound["name"])


def _answer(file: Path) -> None:
    """Ask the function for a photo's kind over HTTP; fail unless it answers with all kinds."""
    from functions_framework import create_app

    os.environ["MODEL_PATH"] = str(file)
    app = create_app("classify_http", str(ROOT / "function" / "main.py"), "http")  # type: ignore[no-untyped-call]
    with app.test_client() as client:
        answer = client.post("/", data=encode(draw_flower(), "JPEG"))
    if answer.status_code != 200 or len(answer.get_json()["predictions"]) != CLASSES:
        raise SystemExit(f"answered {answer.status_code}: {answer.get_data(as_text=True)[:200]}")


def row(family: str, form: str, folder: Path) -> dict[str, Any]:
    """Return the row of one model, or the reason why there is none."""
    try:
        served, difference = _convert(save(family, form, folder), folder)
        _answer(served)
    except SystemExit as error:
        return {"model": family, "form": form, "reason": str(error).replace(f"{folder}/", "")}
    model = Model.load(served)
    image = np.zeros((1, model.card.input_rule.height, model.card.input_rule.width, 3), np.uint8)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        output = model.run(image)
        seconds.append(time.perf_counter() - started)
    return {
        "model": family,
        "form": form,
        "difference": difference,
        "megabytes": round(served.stat().st_size / 1e6, 1),
        "milliseconds": round(statistics.median(seconds) * 1000, 1),
        "class_maps": output.class_maps is not None,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table in Markdown, sorted by model."""
    yield "| model | form | largest difference | MB | ms | class maps |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for entry in sorted(rows, key=lambda row: (row["model"], row["form"])):
        if "reason" in entry:
            yield f"| {entry['model']} | {entry['form']} | not converted: {' '.join(entry['reason'].split())} | | | |"
        else:
            yield (
                f"| {entry['model']} | {entry['form']} | {entry['difference']:.0e} | {entry['megabytes']} | "
                f"{entry['milliseconds']} | {'yes' if entry['class_maps'] else 'no'} |"
            )


def recorded() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the recorded rows by model and form."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    return {(entry["model"], entry["form"]): entry for entry in map(json.loads, lines)}


def record(entry: Mapping[str, Any]) -> None:
    """Record a row, and write all that are recorded to the table."""
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(entry)}\n")
    write_table(list(recorded().values()))


def write_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table to its section of the README."""
    before, _, rest = README.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    README.write_text(f"{before}{_BEGIN}\n\n{chr(10).join(table(rows))}\n\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(row(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
