"""Test that a failure of the machine counts as unavailable, never as an invalid image."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageFile

from flowers.errors import InputError, UnavailableError
from flowers.imaging import decode as decode_module
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.http_contract import post
from tests.support.paths import MAIN
from tests.support.pictures import draw_picture, sample

FAILURES = [
    pytest.param(MemoryError(), id="memory"),
    pytest.param(ImportError("no such library"), id="import"),
    pytest.param(OSError(errno.EIO, "Input/output error"), id="disk"),
]


def seen(data: bytes) -> Any:
    """Decode the file."""
    return decode(data, InputRule(64, 64), 250_000_000, PixelBudget(50_000_000))


def failing(error: Exception) -> Any:
    """Return a function that raises `error`."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("place", ["load", "draft", "resize"])
def test_machine_failure_while_decoding_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    data = sample("JPEG")
    monkeypatch.setattr(ImageFile.ImageFile if place == "load" else Image.Image, place, failing(error), raising=False)
    if place == "draft":
        monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", failing(error))

    with pytest.raises(UnavailableError) as caught:
        seen(data)

    assert caught.value.reason == "UNAVAILABLE"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(("format", "library"), [("HEIF", "pillow_heif"), ("WEBP", "PIL._webp"), ("AVIF", "PIL._avif")])
def test_missing_codec_is_unavailable(monkeypatch: pytest.MonkeyPatch, format: str, library: str) -> None:
    data = sample(format)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(UnavailableError):
        seen(data)


def test_own_error_does_not_blame_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "to_srgb", failing(ValueError("a fault of ours")))
    with pytest.raises(ValueError, match="a fault of ours"):
        seen(sample("PNG"))


def test_memory_error_over_http_is_503(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", failing(MemoryError()))
    reply = post(client, sample("JPEG"))
    assert (reply.status, reply.reason) == (503, "UNAVAILABLE")


def test_libtiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(draw_picture().convert("1"), "TIFF", compression="group4")
    broken = data[:400] + b"\x55" * 200 + data[600:]
    try:
        seen(broken)
    except InputError as error:
        assert error.reason == "UNDECODABLE_IMAGE"
    assert capfd.readouterr().err == ""


SHORT_OF_MEMORY = """
import gc, resource, sys
from flowers.errors import FlowersError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.process import return_large_blocks

def reason(data):
    try:
        decode(data, InputRule(64, 64), 250_000_000, PixelBudget(50_000_000))
    except FlowersError as error:
        return error.reason
    return "shown"

return_large_blocks()
data = open(sys.argv[1], "rb").read()
reasons = [reason(data)]
gc.collect()
status = open("/proc/self/status").read()
taken = int(status.split("VmSize:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[2]), -1))
print(*reasons, reason(data))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to limit memory")
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"progressive": True, "subsampling": 0}),
        ("TIFF", {"compression": "jpeg", "tiffinfo": {278: 2000}}),
        ("WEBP", {}),
        ("AVIF", {"speed": 10}),
    ],
)
def test_decoder_without_memory_is_unavailable(tmp_path: Path, format: str, options: dict[str, Any]) -> None:
    file = tmp_path / "large"
    file.write_bytes(encode(Image.new("RGB", (3000, 2000), "teal"), format, **options))
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(file), "6000000"]
    run = subprocess.run(command, env={"PYTHONPATH": str(MAIN.parent)}, capture_output=True, text=True, check=False)
    assert (run.stdout.split(), run.stderr) == (["shown", "UNAVAILABLE"], "")
