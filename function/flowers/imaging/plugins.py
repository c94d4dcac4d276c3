"""Pillow's plugins: each format opened with its own alone, and how many pixels its decoder holds."""

import importlib
import io

from PIL import Image, ImageFile, JpegImagePlugin

# Pillow's own guard only warns; ours looks at the header's size before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

# Photos are JPEGs, so that its plugin is loaded at the start; the others cost one that sees none of theirs nothing.
_PLUGINS = {
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
}


def open_image(data: bytes, name: str) -> ImageFile.ImageFile:
    """Reads the header of a file that is of the format `name`; all plugins but JPEG's are imported when needed.

    Raises errors of any class for a faulty file.
    """
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    elif name in _PLUGINS:
        importlib.import_module(_PLUGINS[name])
    # `Image.open` would look for a plugin once more, and load some for that.
    factory, _ = Image.OPEN[name]
    return factory(io.BytesIO(data), "")


def held_pixels(data: bytes, image: ImageFile.ImageFile, full: tuple[int, int]) -> int:
    """How many pixels the decoder of an opened image holds at once; `full` is its size before any draft."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        # A JPEG of several scans (any progressive one) is held whole, whatever the size it is decoded to.
        whole = image.info.get("progressive") or image.layers != _components_of_first_scan(data)
        width, height = full if whole else image.size
        return width * height
    if image.format == "TIFF":
        tags: dict[int, int] = getattr(image, "tag_v2", {})
        # A tile (its width and length are tags 322 and 323) may be larger than the picture.
        return max(image.width * image.height, tags.get(322, 0) * tags.get(323, 0))
    return image.width * image.height


def _components_of_first_scan(data: bytes) -> int:
    """The number of colour components in a JPEG's first scan; 0 where its segments are not found."""
    start = 2
    while data[start : start + 2] != b"\xff\xda":
        if data[start] != 0xFF:
            return 0  # junk between the segments: taken for several scans
        start += 1 if data[start + 1] == 0xFF else 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return data[start + 4]
