"""Mend what Pillow reads wrongly off an opened file's header, before the pixels are decoded."""

from typing import TYPE_CHECKING

from PIL import ImageFile

from .header import Header

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

_COLOUR_MAP, _XMP = 320, 700


def mend(image: ImageFile.ImageFile, header: Header) -> None:
    """Change an opened image in place."""
    if header.format == "TIFF":
        _mend_tiff(image, header)  # type: ignore[arg-type]
    elif header.format == "GIF":
        frame = image.tile[0].extents
        if frame != (0, 0, *image.size) and "transparency" not in image.info:
            image.info["frame"] = frame
    elif header.format == "PNG":
        _mend_transparency(image)


def _mend_tiff(image: "TiffImageFile", header: Header) -> None:
    # Pillow turns a TIFF upright, and would follow XMP where the file itself says nothing. Viewers don't.
    image.info.pop("xmp", None)
    layout = header.layout
    if layout and layout.planar and set(layout.bits) == {16}:
        order = "L" if image.tag_v2.prefix == b"II" else "B"
        image.tile = [
            tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:]))
            for tile in image.tile
            if tile.codec_name == "raw" and isinstance(tile.args, tuple)
        ] or image.tile
    if image.mode in ("P", "PA"):
        values = image.tag_v2[_COLOUR_MAP]
        if max(values) < 256:  # a colour map of 8 bits, although TIFF's have 16
            from PIL import ImagePalette

            image.palette = ImagePalette.raw("RGB;L", bytes(values))


def _mend_transparency(image: ImageFile.ImageFile) -> None:
    """Bring a transparent colour of other than 8 bits to the 8 bits of the pixels."""
    value, pixels = image.info.get("transparency"), image.tile[0].args
    if isinstance(value, tuple) and pixels == "RGB;16B":
        image.info["transparency"] = tuple(one >> 8 for one in value)
    elif isinstance(value, int) and pixels in ("L;2", "L;4"):
        image.info["transparency"] = value * (85 if pixels == "L;2" else 17)
