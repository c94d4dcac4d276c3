"""Test that photos to keep say nothing of a person, and that JPEG, PNG and WebP keep their pixels."""

import io
import random
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flowers.errors import FlowersError, InputError
from flowers.imaging.anonymous import MAX_SIDE, Photo, anonymous
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.mutations import mutated, seeds
from tests.support.pictures import OPTIONS, STORED, Pixels, distance, oriented, png_chunk, sample, whole
from tests.support.telling_photos import GPS, ICC, PICTURE, SECRET, says_nothing, telling, telling_exif

BUDGET = PixelBudget(50_000_000)
COPIED = ("JPEG", "PNG", "WEBP")


def plain(data: bytes) -> Photo:
    return anonymous(data, 250_000_000, BUDGET)


def seen(data: bytes, side: int = 224) -> Pixels:
    return decode(data, InputRule(side, side, "stretch"), 250_000_000, BUDGET).pixels


@pytest.mark.parametrize("format", OPTIONS)
def test_position_and_texts_are_gone(format: str) -> None:
    data = telling(format)
    if format not in ("GIF", "BMP"):
        assert whole(data).getexif().get_ifd(GPS)[1].startswith("N")
    assert format == "BMP" or SECRET in data
    photo = plain(data)
    assert says_nothing(photo.data) and len(photo.data) != len(data)
    assert photo.format == whole(photo.data).format == (format if format in COPIED else "JPEG")


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", COPIED)
def test_pixels_colours_and_orientation_stay(format: str, orientation: int) -> None:
    data = telling(format, orientation)
    photo = plain(data)
    assert np.array_equal(np.asarray(whole(photo.data)), np.asarray(whole(data)))
    assert whole(photo.data).info["icc_profile"] == ICC
    assert whole(photo.data).getexif().get(0x0112, 1) == orientation
    assert np.array_equal(seen(photo.data), seen(data))
    assert plain(photo.data) == photo


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["AVIF", "HEIF", "TIFF"])
def test_other_formats_become_upright_jpegs(format: str, orientation: int) -> None:
    photo = plain(oriented(PICTURE, format, orientation))
    assert photo.format == "JPEG" and not whole(photo.data).getexif()
    assert distance(np.asarray(whole(photo.data)), PICTURE) <= 4.5


def test_upright_jpeg_is_scaled_down() -> None:
    image = whole(plain(oriented(PICTURE.resize((1200, 900)), "TIFF", 6)).data)
    assert image.size == (MAX_SIDE, MAX_SIDE * 3 // 4)
    narrow = whole(plain(encode(Image.new("RGB", (1200, 1)), "BMP")).data)
    assert narrow.size == (MAX_SIDE, 1)


def inserted(data: bytes, at: int, part: bytes) -> bytes:
    return data[:at] + part + data[at:]


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


JPEG = sample("JPEG")
TELLING_JPEGS = {
    "an unknown segment": inserted(JPEG, 2, jpeg_segment(0xE7, SECRET)),
    "IPTC": inserted(JPEG, 2, jpeg_segment(0xED, b"Photoshop 3.0\08BIM" + SECRET)),
    "a list of pictures": inserted(JPEG, 2, jpeg_segment(0xE2, b"MPF\0" + SECRET)),
    "a longer Adobe segment": inserted(JPEG, 2, jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET)),
    "a preview": inserted(JPEG, 2, jpeg_segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\1\6" + SECRET)),
    "a second picture": JPEG + encode(PICTURE, "JPEG", comment=SECRET),
    "a film at the end": JPEG + b"\0\0\0\x18ftypmp42" + SECRET,
    "what lies between segments": inserted(JPEG, 20, SECRET),
}


def test_jpeg_says_nothing_in_odd_places() -> None:
    progressive = encode(PICTURE, "JPEG", progressive=True, quality=90)
    second = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    files = {**TELLING_JPEGS, "text between scans": inserted(progressive, second, jpeg_segment(0xFE, SECRET))}
    for place, data in files.items():
        assert SECRET in data, place
        photo = plain(data)
        assert says_nothing(photo.data) and photo.format == "JPEG", place
        assert distance(np.asarray(whole(photo.data)), whole(data)) <= 4.5, place
        if place != "text between scans":
            assert np.array_equal(np.asarray(whole(photo.data)), np.asarray(whole(data))), place


def test_png_says_nothing_in_odd_places() -> None:
    data = sample("PNG")
    parts = png_chunk(b"tIME", SECRET) + png_chunk(b"anNY", SECRET) + png_chunk(b"eXIf", b"MM\0*" + SECRET)
    broken = png_chunk(b"iCCP", SECRET)[:-1] + b"!"
    for file in (inserted(data, 33, parts), inserted(data, 33, broken), data + SECRET):
        assert plain(file) == Photo(data, "PNG")


def test_png_colours_stay() -> None:
    picture = PICTURE.quantize(16)
    data = encode(picture, "PNG", transparency=3)
    colours = (
        png_chunk(b"gAMA", (30000).to_bytes(4, "big")),
        png_chunk(b"iCCP", b"a\0\0" + zlib.compress(ICC)),
        png_chunk(b"cICP", bytes((9, 16, 0, 1))),
        png_chunk(b"cHRM", bytes(32)),
    )
    for part in colours:
        coloured = inserted(data, 33, part)
        assert plain(coloured) == Photo(coloured, "PNG")


def test_webp_says_nothing_in_odd_places() -> None:
    data = telling("WEBP", 6)
    chunk = b"ANNA" + len(SECRET).to_bytes(4, "little") + SECRET
    longer = data[:4] + (len(data) - 8 + len(chunk)).to_bytes(4, "little") + data[8:] + chunk
    for telling_file in (longer, data + SECRET):
        photo = plain(telling_file)
        assert says_nothing(photo.data)
        assert photo == plain(data)
        assert int.from_bytes(photo.data[4:8], "little") == len(photo.data) - 8
        assert photo.data[20] & 0b1100 == 0b1000  # EXIF, for the orientation, and no XMP


@pytest.mark.parametrize("options", [{"quality": 60}, {"lossless": True}])
def test_simple_webp_is_copied_whole(options: dict[str, Any]) -> None:
    data = encode(PICTURE, "WEBP", **options)
    assert plain(data) == Photo(data, "WEBP")


def test_animated_webp_keeps_its_frames() -> None:
    data = encode(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(90)], exif=telling_exif().tobytes())
    photo = plain(data)
    assert says_nothing(photo.data)
    image = Image.open(io.BytesIO(photo.data))
    assert getattr(image, "n_frames", 1) == 2


def test_truncated_jpeg_stays_truncated() -> None:
    data = telling("JPEG")
    cut = data[: -len(data) // 50]
    photo = plain(cut)
    assert says_nothing(photo.data + b"\xff\xd9")
    assert np.array_equal(seen(photo.data), seen(cut))


def test_what_cannot_be_shown_is_refused() -> None:
    for data in (b"", b"no image", sample("HEIF")[:-500]):
        with pytest.raises(InputError):
            plain(data)


def test_mutated_files_stay_showable_and_silent() -> None:
    chance, small = random.Random(7), PixelBudget(2_000_000)  # noqa: S311 - repeatable
    originals = [telling(format) for format in COPIED] + [data for _, data in seeds()[:9]]
    shown = 0
    for _ in range(150):
        data = mutated(chance.choice(originals), chance)
        try:
            expected = decode(data, InputRule(224, 224, "stretch"), 250_000_000, small).pixels
        except FlowersError:
            continue
        shown += 1
        photo = anonymous(data, 250_000_000, small)
        assert SECRET not in photo.data
        assert distance(seen(photo.data), Image.fromarray(expected)) < 6
    assert shown > 30
