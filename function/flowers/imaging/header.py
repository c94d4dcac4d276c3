"""Read an image's header once: its format, size and turn, its colours, and the pixels that decoding will hold."""

from collections.abc import Callable
from typing import NamedTuple

from ..errors import ImageFacts, InputError
from . import heif, jpeg, png, simple, tiff
from .colours import ColourSpace, as_shown
from .formats import sniff, unsupported_kind, wrapper_advice

_SIDEWAYS = (5, 6, 7, 8)
_UNKNOWN = "This is no image of a known format. Send JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC."


class Header(NamedTuple):
    """Hold what is known of an image before it is decoded.

    `width` and `height` are as stored; `orientation` (EXIF, 1 to 8) turns them upright. `held` are the pixels that
    decoding holds at full size, which is what takes the memory; a `scalable` picture is decoded at a fraction. `turned`
    says that the decoder turns the picture by itself.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    held: int = 0
    scalable: bool = False
    turned: bool = False
    colours: ColourSpace = ColourSpace()
    frame: jpeg.Frame | None = None
    layout: tiff.Directory | None = None

    @property
    def upright(self) -> tuple[int, int]:
        """Return width and height as seen upright."""
        return (self.height, self.width) if self.orientation in _SIDEWAYS else (self.width, self.height)

    @property
    def turn(self) -> int:
        """Return the orientation that is still to be applied after decoding."""
        return 1 if self.turned else self.orientation

    def decoded_as(self, width: int, height: int) -> "Header":
        """Return the header with the size that a decoder at full size gave."""
        swapped = self.turned and self.orientation in _SIDEWAYS
        return self._replace(width=height, height=width) if swapped else self._replace(width=width, height=height)

    @property
    def facts(self) -> ImageFacts:
        """Return format and upright size as documents state them."""
        return ImageFacts(self.format, *self.upright)


def read_header(data: bytes) -> Header:
    """Return the header of an image file.

    Raise `InputError` (EMPTY_IMAGE, UNSUPPORTED_FORMAT, UNDECODABLE_IMAGE).
    """
    if not data:
        raise InputError("EMPTY_IMAGE", "The image has no bytes. Send a whole image file.")
    name = sniff(data)
    if name is None:
        kind = unsupported_kind(data)
        told = f"This is {kind}, which is not supported. Save it as JPEG or PNG." if kind else _UNKNOWN
        raise InputError("UNSUPPORTED_FORMAT", wrapper_advice(data) or told)
    try:
        header = _READERS[name](data)
        if header.width <= 0 or header.height <= 0:
            raise ValueError(f"{header.width} × {header.height} pixels")
    except InputError as error:
        error.facts = ImageFacts(name)
        raise
    except Exception as error:  # a broken file makes the readers fail in many ways
        fault = undecodable(name)
        fault.facts = ImageFacts(name)
        raise fault from error
    if header.held == heif.UNREADABLE:
        fault = undecodable(name)
        fault.facts = header.facts
        raise fault
    return header if header.held else header._replace(held=header.width * header.height)


def undecodable(name: str) -> InputError:
    """Return the error of a broken file."""
    return InputError(
        "UNDECODABLE_IMAGE", f"The {name} image is truncated or corrupt. Check the file and send it again."
    )


def _jpeg(data: bytes) -> Header:
    frame = jpeg.read_frame(data)
    return Header(
        "JPEG",
        frame.width,
        frame.height,
        tiff.orientation_of(frame.exif),
        scalable=not frame.whole,
        colours=ColourSpace(frame.icc),
        frame=frame,
    )


def _png(data: bytes) -> Header:
    found = png.read_png(data)
    colours = ColourSpace(found.icc, found.cicp, found.gamma, found.chromaticities)
    return Header("PNG", found.width, found.height, tiff.orientation_of(found.exif), colours=colours)


def _webp(data: bytes) -> Header:
    found = simple.read_webp(data)
    return Header("WEBP", found.width, found.height, tiff.orientation_of(found.exif), colours=ColourSpace(found.icc))


def _tiff(data: bytes) -> Header:
    found = tiff.read_directory(data)
    return Header(
        "TIFF",
        found.width,
        found.height,
        found.orientation,
        found.held,
        turned=True,
        colours=ColourSpace(found.icc),
        layout=found,
    )


def _bmp(data: bytes) -> Header:
    found = simple.read_bmp(data)
    return Header("BMP", found.width, found.height, held=found.held)


def _heif(name: str) -> Callable[[bytes], Header]:
    def read(data: bytes) -> Header:
        found = heif.read_picture(data)
        orientation, turned = found.orientation, name == "HEIF"
        if orientation is None:
            # Apple's viewers follow EXIF in a HEIC that neither turns itself nor promises to (MIAF, section 7.3.6.7).
            follows_exif = name == "HEIF" and b"miaf" not in found.brands
            orientation, turned = (tiff.orientation_of(found.exif) if follows_exif else 1), False
        colours = ColourSpace(found.icc, found.nclx and as_shown(*found.nclx))
        return Header(name, found.width, found.height, orientation, found.held, turned=turned, colours=colours)

    return read


_READERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": lambda data: Header("GIF", *simple.read_gif(data)),
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _heif("AVIF"),
    "HEIF": _heif("HEIF"),
}
