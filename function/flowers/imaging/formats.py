"""Name the image formats, and detect each from its first bytes."""

import re

# Each format's usual extension and media type.
MEDIA_TYPES = {
    "JPEG": (".jpg", "image/jpeg"),
    "PNG": (".png", "image/png"),
    "WEBP": (".webp", "image/webp"),
    "GIF": (".gif", "image/gif"),
    "BMP": (".bmp", "image/bmp"),
    "TIFF": (".tiff", "image/tiff"),
    "AVIF": (".avif", "image/avif"),
    "HEIF": (".heic", "image/heic"),
}
FORMATS = tuple(MEDIA_TYPES)
IMAGE_ENDINGS = (
    *(ending for ending, _ in MEDIA_TYPES.values()),
    *(".jpeg", ".jpe", ".jfif", ".tif", ".heif", ".hif"),
)

# Pictures of other kinds that people send, by their first bytes.
_OTHER_KINDS = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "a Photoshop document (PSD)"),
    (b"gimp xcf", "a GIMP document (XCF)"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"FUJIFILMCCD-RAW", "a raw photograph (RAF)"),
    (b"FOVb", "a raw photograph (X3F)"),
    (b"IIRO", "a raw photograph (ORF)"),
    (b"IIRS", "a raw photograph (ORF)"),
    (b"MMOR", "a raw photograph (ORF)"),
    (b"IIU\0", "a raw photograph (RW2)"),
    (b"\0MRM", "a raw photograph (MRW)"),
)
_OTHER_BRANDS = {
    b"crx ": "a raw photograph (CR3)",
    b"jxl ": "JPEG XL",
    b"jp2 ": "JPEG 2000",
    b"qt  ": "a video",
    b"isom": "a video",
    b"mp41": "a video",
    b"mp42": "a video",
}


# Bodies of other programs with the photo inside: how they begin, and what to do.
_WRAPPERS = (
    (
        re.compile(rb"(?:\r\n)?--[^\r\n]{1,80}\r?\n(?:[^\r\n]+\r?\n)*?content-disposition: *form-data", re.IGNORECASE),
        "This is a form (multipart/form-data) with the photo inside. Upload the file itself, not a FormData object.",
    ),
    (
        re.compile(
            rb"[0-9a-f]{1,8}(?:;chunk-signature=[0-9a-f]{64})?\r\n"
            rb"(?:\xff\xd8\xff|\x89PNG|RIFF|GIF8|II|MM|BM|.{4}ftyp)",
            re.IGNORECASE | re.DOTALL,
        ),
        "This is an aws-chunked body with the photo inside. Switch off chunked uploads in the S3 client.",
    ),
    (
        re.compile(rb"data:image/", re.IGNORECASE),
        "This is a data URL with the photo inside. Decode its base64, and upload the bytes.",
    ),
)


def wrapper_advice(data: bytes) -> str | None:
    """Return what to do about a body that holds the photo in a form or in chunks, or None for anything else."""
    return next((advice for pattern, advice in _WRAPPERS if pattern.match(data[:2048])), None)


def sniff(data: bytes) -> str | None:
    """Return the format (one of `FORMATS`) that the first bytes announce, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124):
        return "BMP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) and data[8:11] != b"CR\2":
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, size, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
            return "HEIF"
    return None


def unsupported_kind(data: bytes) -> str | None:
    """Name what a file of another kind is, or return None for what is no picture that people send."""
    for start, kind in _OTHER_KINDS:
        if data.startswith(start):
            return kind
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "a raw photograph (CR2)"
    if data[4:8] == b"ftyp":
        return _OTHER_BRANDS.get(data[8:12])
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head):
        return "a drawing (SVG)"
    return None
