"""Make photos that say where and by whom they were taken, in each format."""

from typing import Any

from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from tests.support.drawn_flower import encode
from tests.support.pictures import OPTIONS, STORED, draw_picture, whole

PICTURE = draw_picture()
SECRET = b"Ana, Calle Mayor 7"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GPS = 0x8825
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + SECRET + b"</x:xmpmeta>"


def telling_exif(orientation: int = 1) -> Image.Exif:
    """Return EXIF with a position, a text and an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    rational = TiffImagePlugin.IFDRational
    exif.get_ifd(GPS).update(
        {1: "N", 2: (rational(40), rational(25), rational(1)), 3: "W", 4: (rational(3), rational(42), rational(9))}
    )
    return exif


def telling(format: str, orientation: int = 1) -> bytes:
    """Return a file with a position and the secret in all places that Pillow can write."""
    turn = STORED[orientation]
    picture = PICTURE if turn is None else PICTURE.transpose(turn)
    options: dict[str, Any] = {**OPTIONS[format], "icc_profile": ICC}
    if format in ("GIF", "BMP"):
        return encode(picture, format, **({"comment": SECRET} if format == "GIF" else {}))
    options["exif"] = telling_exif(orientation).tobytes()
    if format == "TIFF":
        del options["compression"]  # with which Pillow would drop the position
    elif format == "PNG":
        options["pnginfo"] = text = PngInfo()
        text.add_text("Author", SECRET.decode())
        text.add_text("Comment", SECRET.decode() * 9, zip=True)
        text.add_itxt("XML:com.adobe.xmp", _XMP.decode())
    else:
        options["xmp"] = _XMP
    if format == "JPEG":
        options["comment"] = SECRET
    return encode(picture, format, **options)


def says_nothing(data: bytes) -> bool:
    """Return whether a file has neither the secret nor any tag of EXIF but the orientation."""
    image = whole(data)
    exif = image.getexif()
    return (
        SECRET not in data
        and b"adobe:ns:meta" not in data
        and set(exif) <= {0x0112}
        and not exif.get_ifd(GPS)
        and not {"xmp", "comment", "Author", "mp"} & set(image.info)
    )
