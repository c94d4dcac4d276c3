"""Test that a JPEG without its last bytes is accepted if it has nearly all rows, as in viewers."""

import re

import numpy as np
import pytest
from PIL import Image

from flowers.errors import InputError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import Decoded, decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import distance, draw_picture, multi_scan_jpeg

PICTURE = draw_picture(320, 240)
WAYS = {
    "baseline": {"quality": 90},
    "restarts": {"quality": 90, "restart_marker_rows": 1},
    "grey": {"quality": 90},
    "cmyk": {"quality": 90},
}


def file(way: str, picture: Image.Image = PICTURE) -> bytes:
    """Return the picture as a JPEG of one scan."""
    mode = {"grey": "L", "cmyk": "CMYK"}.get(way, "RGB")
    return encode(picture.convert(mode), "JPEG", **WAYS[way])


def seen(data: bytes) -> Decoded:
    """Return the whole picture as the model sees it."""
    return decode(data, InputRule(240, 320), 250_000_000, PixelBudget(50_000_000))


def refused(data: bytes) -> str:
    """Return the reason of refusal."""
    with pytest.raises(InputError) as caught:
        seen(data)
    return caught.value.reason


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 10, 40])
@pytest.mark.parametrize("way", WAYS)
def test_jpeg_without_its_last_bytes_is_shown(way: str, missing: int) -> None:
    whole = seen(file(way))
    cut = seen(file(way)[:-missing])

    assert not whole.facts.truncated
    assert cut.facts.truncated
    assert distance(cut.pixels, Image.fromarray(whole.pixels)) <= 1.5


@pytest.mark.parametrize("size", [(64, 48), (4000, 3000)])
def test_truncated_jpeg_of_any_size_is_shown(size: tuple[int, int]) -> None:
    data = file("baseline", PICTURE.resize(size))
    assert seen(data[:-4]).facts.truncated


@pytest.mark.parametrize("way", WAYS)
def test_jpeg_without_its_last_rows_is_undecodable(way: str) -> None:
    data = file(way)
    start = data.index(b"\xff\xda")
    for share in (0.8, 0.5, 0.1, 0.0):
        assert refused(data[: start + 20 + int((len(data) - start - 20) * share)]) == "UNDECODABLE_IMAGE", share


def noisy() -> Image.Image:
    """Return a picture whose rows take equally many bytes."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8))


def test_nine_tenths_of_the_rows_are_the_limit() -> None:
    data = encode(noisy(), "JPEG", quality=90)
    start = data.index(b"\xff\xda")
    body = len(data) - start
    assert seen(data[: start + int(body * 0.93)]).facts.truncated
    assert refused(data[: start + int(body * 0.87)]) == "UNDECODABLE_IMAGE"


@pytest.mark.parametrize("way", WAYS)
def test_jpeg_closed_after_half_is_undecodable(way: str) -> None:
    data = file(way)
    start = data.index(b"\xff\xda")
    assert refused(data[: (start + len(data)) // 2].rstrip(b"\xff") + b"\xff\xd9") == "UNDECODABLE_IMAGE"


def test_jpeg_closed_after_most_rows_is_truncated() -> None:
    data = encode(noisy(), "JPEG", quality=90)
    cut = seen(data[: int(len(data) * 0.95)].rstrip(b"\xff") + b"\xff\xd9")
    assert cut.facts.truncated


def test_grey_picture_is_not_taken_for_a_truncated_one() -> None:
    grey = encode(Image.new("RGB", (320, 240), (128, 128, 128)), "JPEG")
    assert not seen(grey).facts.truncated
    assert not seen(grey + b"behind the end").facts.truncated


def test_missing_rows_are_grey() -> None:
    data = encode(noisy(), "JPEG", quality=90)
    pixels = seen(data[: int(len(data) * 0.92)]).pixels
    assert (pixels[-4:] == 128).all()
    assert pixels[:200].std() > 30


@pytest.mark.parametrize("missing", [1, 2, 30])
def test_progressive_jpeg_without_last_bytes_is_shown(missing: int) -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    cut = seen(data[:-missing])
    assert cut.facts.truncated
    assert distance(cut.pixels, Image.fromarray(seen(data).pixels)) <= 3


@pytest.mark.parametrize("scans", range(1, 6))
def test_progressive_jpeg_too_coarse_is_undecodable(scans: int) -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    at = 0
    for _ in range(scans + 1):
        at = data.index(b"\xff\xda", at + 2)
    assert refused(data[: at - 2]) == "UNDECODABLE_IMAGE"


def test_jpeg_without_its_last_scan_is_undecodable() -> None:
    data = multi_scan_jpeg(320, 240)
    assert refused(data[: data.rindex(b"\xff\xda")]) == "UNDECODABLE_IMAGE"


def in_scans(components: int = 3) -> bytes:
    """Return a noisy baseline JPEG with one scan for each of its first components, without its end."""
    colour = encode(noisy(), "JPEG", quality=90, subsampling=0)
    grey = encode(noisy().convert("L"), "JPEG", quality=90)
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    head = colour[: colour.index(b"\xff\xc0") + 19] + grey[frame + 13 : scan]
    scans = [b"\xff\xda\0\10\1" + bytes([one, 0, 0, 63, 0]) + grey[scan + 10 : -2] for one in (1, 2, 3)]
    return head + b"".join(scans[:components])


def cut_in_last_scan(data: bytes, share: float) -> bytes:
    """Return the file up to a share of its last scan."""
    start = data.rindex(b"\xff\xda")
    return data[: start + int((len(data) - start) * share)].rstrip(b"\xff")


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["open", "closed"])
def test_several_scans_with_most_rows_are_truncated(end: bytes) -> None:
    assert seen(cut_in_last_scan(in_scans(), 0.95) + end).facts.truncated
    assert refused(cut_in_last_scan(in_scans(), 0.6) + end) == "UNDECODABLE_IMAGE"


def test_scans_without_end_marker_are_truncated() -> None:
    whole = seen(in_scans() + b"\xff\xd9")
    cut = seen(in_scans())
    assert (whole.facts.truncated, cut.facts.truncated) == (False, True)
    assert (cut.pixels == whole.pixels).all()


def test_jpeg_closed_without_a_component_is_undecodable() -> None:
    assert refused(in_scans(2) + b"\xff\xd9") == "UNDECODABLE_IMAGE"


@pytest.mark.parametrize("scans", range(1, 10))
def test_progressive_jpeg_closed_early_is_truncated(scans: int) -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    starts = [match.start() for match in re.finditer(b"\xff\xda", data)]
    assert seen(data[: starts[scans]] + b"\xff\xd9").facts.truncated


@pytest.mark.parametrize("scan", range(2, 10))
def test_progressive_jpeg_closed_in_a_scan_is_truncated(scan: int) -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    starts = [match.start() for match in re.finditer(b"\xff\xda", data)]
    middle = (starts[scan - 1] + starts[scan]) // 2
    assert seen(data[:middle].rstrip(b"\xff") + b"\xff\xd9").facts.truncated


def test_progressive_jpeg_of_half_a_scan_is_refused() -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff\xc4", start)
    assert refused(data[: (start + end) // 2] + b"\xff\xd9") == "UNDECODABLE_IMAGE"


def test_whole_progressive_jpeg_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(PICTURE, "JPEG", quality=90, progressive=True)
    monkeypatch.setattr("flowers.imaging.truncated.load_strictly", None)
    assert not seen(data).facts.truncated
