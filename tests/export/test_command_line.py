"""Test that every documented value of every option passes the real command line."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from export.bundled import STEPS, AverageOptions, GatherOptions, TrainOptions, TrialOptions
from export.command_line import parse
from export.conversion.options import ConvertOptions, QuantizeOptions, VerifyOptions
from export.errors import ExportError
from export.review.run import CollectOptions

MODEL = ("--model", "m.keras")
CONVERT = ("convert", *MODEL, "--out", "m.onnx")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("--scale", "raw"), "scale", "raw"),
        (("--scale", "0..1"), "scale", "0..1"),
        (("--scale", "-1..1"), "scale", "-1..1"),
        (("--scale=-1..1",), "scale", "-1..1"),
        (("--scale", "unit"), "scale", "0..1"),
        (("--scale", "symmetric"), "scale", "-1..1"),
        (("--scale", "imagenet"), "scale", "imagenet"),
        (("--scale", "caffe"), "scale", "caffe"),
        (("--label-order", "text"), "label_order", "text"),
        (("--label-order", "numeric"), "label_order", "numeric"),
        (("--resize", "stretch"), "resize", "stretch"),
        (("--resize", "crop"), "resize", "crop"),
        (("--input-size", "224x180"), "input_size", (224, 180)),
        (("--name", "my roses"), "name", "my roses"),
        (("--version", "3"), "version", "3"),
        (("--threshold", "0.5"), "threshold", 0.5),
        (("--labels", "l.txt"), "labels", Path("l.txt")),
        (("--data", "photos"), "data", Path("photos")),
        (("--signature", "serve"), "signature", "serve"),
        (("--output", "scores"), "output", "scores"),
        (("--mlflow-store", "runs"), "mlflow_store", Path("runs")),
    ],
)
def test_convert_option_as_documented_is_accepted(words: tuple[str, ...], field: str, value: Any) -> None:
    _, options = parse((*CONVERT, *words))
    assert options == ConvertOptions("m.keras", out="m.onnx", **{field: value})


def test_verify_and_quantize_options_are_accepted() -> None:
    assert parse(("verify", *MODEL, "--served", "m.onnx", "--scale", "-1..1"))[1] == VerifyOptions(
        "m.keras", scale="-1..1", served=Path("m.onnx")
    )
    assert parse(("quantize", *MODEL, "--data", "p", "--out", "o"))[1] == QuantizeOptions(
        model="m.keras", data=Path("p"), out="o"
    )


def test_train_takes_several_folders_and_sources() -> None:
    words = ("train", "--data", "a", "b", "--leave-out", "x", "y", "--start", "s.keras", "--keras", "o.keras")
    assert parse((*words, "--epochs", "4"))[1] == TrainOptions(
        data=(Path("a"), Path("b")),
        leave_out=("x", "y"),
        keras=Path("o.keras"),
        start=Path("s.keras"),
        epochs=4,
    )


def test_gather_options_are_accepted() -> None:
    options = GatherOptions(archives=Path("a"), out=Path("o"))
    assert parse(("gather", "--archives", "a", "--out", "o")) == ("gather", options)
    assert parse(("gather",)) == ("gather", GatherOptions())


def test_collect_options_are_accepted() -> None:
    options = CollectOptions(Path("o"), archive="gs://a/2026", least_sure=9)
    assert parse(("collect", "--archive", "gs://a/2026", "--out", "o", "--least-sure", "9")) == ("collect", options)
    options = CollectOptions(Path("o"), decisions=Path("d.json"))
    assert parse(("collect", "--decisions", "d.json", "--out", "o")) == ("collect", options)


def test_average_takes_several_runs() -> None:
    options = AverageOptions(runs=(Path("a.keras"), Path("b.keras")), keras=Path("o.keras"))
    assert parse(("average", "a.keras", "b.keras", "--keras", "o.keras")) == ("average", options)


def test_second_data_folder_for_own_model_is_refused() -> None:
    with pytest.raises(ExportError, match="give one folder"):
        parse((*CONVERT, "--data", "a", "b"))


@pytest.mark.parametrize("command", sorted(STEPS.keys() - {"average"}))
def test_bundled_command_without_options_is_accepted(command: str) -> None:
    defaults: Callable[[], object] = STEPS[command].options
    assert parse((command,)) == (command, defaults())


def test_trial_options_are_accepted() -> None:
    words = ("trial", "--data", "a", "--keras", "r.keras", "--leave-out", "x", "--name", "new")
    options = TrialOptions(data=(Path("a"),), leave_out=("x",), keras=Path("r.keras"), name="new")
    assert parse(words) == ("trial", options)


@pytest.mark.parametrize(
    "words", [("card", "--data", "a"), ("evaluate", "--keras", "r.keras"), ("trial", "--epochs", "4")]
)
def test_option_that_a_step_does_not_read_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    assert f"unrecognized arguments: {words[1]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("convert", *MODEL), "missing --out"),
        (("verify", *MODEL), "missing --served"),
        (("quantize", *MODEL, "--out", "o"), "missing --data"),
        (("convert", "--labels", "l.txt"), "--labels belongs to a model of your own"),
    ],
)
def test_missing_or_stray_option_is_named(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        parse(words)


def test_every_option_field_is_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command, kind in (("convert", ConvertOptions), ("quantize", QuantizeOptions), ("verify", VerifyOptions)):
        with pytest.raises(SystemExit):
            parse((command, "--help"))
        helped = capsys.readouterr().out
        assert [field.name for field in fields(kind) if f"--{field.name.replace('_', '-')}" not in helped] == []
