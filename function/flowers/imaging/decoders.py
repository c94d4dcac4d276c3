"""Decode with Pillow, each format with its own plugin alone."""

import importlib
import io
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFile, JpegImagePlugin

from ..errors import InputError
from . import jpeg, png
from .header import Header, undecodable
from .mends import mend
from .quiet import silence_libtiff, silence_pillow

# The size is checked before anything is decoded; Pillow's own check only warns.
Image.MAX_IMAGE_PIXELS = None
silence_pillow()

# Photos are JPEGs, so that plugin is loaded at the start. The others are imported when a file needs them.
_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
}
_CODECS = {"JPEG": "jpg", "PNG": "zlib", "TIFF": "libtiff", "WEBP": "webp", "AVIF": "avif"}
_WITHOUT_METADATA: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": jpeg.without_metadata,
    "PNG": png.without_metadata,
}

# A picture's size, in pixels.
Size = tuple[int, int]


def is_of_machine(error: BaseException) -> bool:
    """Return whether an error is a failure of this machine or its software, not of the image."""
    return isinstance(error, MemoryError | ImportError) or (isinstance(error, OSError) and error.errno is not None)


def load(data: bytes, header: Header, draft: Size) -> ImageFile.ImageFile:
    """Return the first frame, decoded; a JPEG no finer than `draft` needs.

    Metadata that a viewer can do without don't make a picture undecodable. Raise `InputError` (UNDECODABLE_IMAGE, and
    UNSUPPORTED_FORMAT for pixels of a kind that is not decoded). Failures of the machine pass as they are.
    """
    try:
        return load_strictly(data, header, draft)
    except Exception as error:
        if is_of_machine(error):
            raise
        if header.format in _WITHOUT_METADATA:
            return _load_plain(data, header, draft)
        raise _fault(header, error) from error


def load_strictly(data: bytes, header: Header, draft: Size) -> ImageFile.ImageFile:
    """Return the first frame, decoded. Raise errors of any class for a broken file."""
    image = _open(data, header.format)
    # The budget was reserved for the header's size: a decoder that reads another one must not run.
    if image.width * image.height > header.width * header.height:
        raise ValueError(f"{image.size} instead of {header.width} × {header.height}")
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.decodermaxblock = max(image.decodermaxblock, len(data))  # all bytes at once, not 64 KiB a turn
        image.draft(None, draft)
    mend(image, header)
    image.load()
    return image


def _load_plain(data: bytes, header: Header, draft: Size) -> ImageFile.ImageFile:
    try:
        return load_strictly(_WITHOUT_METADATA[header.format](data), header, draft)
    except Exception as error:
        if is_of_machine(error):
            raise
        raise _fault(header, error) from error


def _has_codec(name: str) -> bool:
    if name not in _CODECS:
        return True
    from PIL import features

    return bool(features.check(_CODECS[name]))


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """Open a file with the plugin of its format. Raise `ImportError` when the decoder is not installed."""
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
        available = bool(pillow_heif.libheif_info()["decoders"])
    else:
        plugin: Any = importlib.import_module(_PLUGINS[name])
        if name == "AVIF":
            plugin.DEFAULT_MAX_THREADS = 1
        elif name == "PNG":
            plugin.MAX_TEXT_MEMORY = plugin.MAX_TEXT_CHUNK
        elif name == "TIFF":
            silence_libtiff()
        available = _has_codec(name)
    if not available:
        raise ImportError(f"the decoder of {name} is not installed")
    if name == "AVIF" and data[8:12] == b"avis":
        # By this brand libavif takes the sequence's tracks, whose size no header was read of, not the still picture.
        data = data[:8] + b"avif" + data[12:]
    # `Image.open` would look for a plugin once more, and load some for that.
    factory, _ = Image.OPEN[name]
    return factory(io.BytesIO(data), "")


def _fault(header: Header, error: Exception) -> InputError:
    if header.layout and isinstance(error, SyntaxError | KeyError):  # Pillow read the tags, but has no such pixels
        return InputError(
            "UNSUPPORTED_FORMAT",
            f"This is a TIFF with {header.layout.kind()}, which is not supported. "
            "Save it with 8 bits a channel, or as PNG or JPEG.",
        )
    return undecodable(header.format)
