"""Make TIFF files of any tags, byte order and layout."""

import struct

SHORT, LONG = 3, 4
_LETTERS = {1: "B", SHORT: "H", LONG: "I", 7: "B"}
# A tag's type and values.
Tag = tuple[int, tuple[int, ...]]


def typed_tiff(tags: dict[int, Tag], data: bytes, order: str = "<") -> bytes:
    """Return a TIFF file; offsets of strips are counted from where `data` starts."""
    start = 8 + 2 + 12 * len(tags) + 4
    sizes = {tag: struct.calcsize(f"{len(values)}{_LETTERS[kind]}") for tag, (kind, values) in tags.items()}
    data_start = start + sum(size + size % 2 for size in sizes.values() if size > 4)
    entries, tail = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        moved = tuple(data_start + value for value in values) if tag == 273 else values
        body = struct.pack(f"{order}{len(values)}{_LETTERS[kind]}", *moved)
        entries += struct.pack(order + "HHI", tag, kind, len(values))
        entries += body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(order + "I", start + len(tail))
        tail += body + bytes(len(body) % 2) if len(body) > 4 else b""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(tags))
    return head + entries + bytes(4) + tail + data


def layout(width: int, height: int, bits: tuple[int, ...], photometric: int, strips: list[bytes]) -> dict[int, Tag]:
    """Return the tags of a picture whose strips, or planes, follow each other."""
    offsets = [sum(map(len, strips[:index])) for index in range(len(strips))]
    return {
        256: (LONG, (width,)),
        257: (LONG, (height,)),
        258: (SHORT, bits),
        259: (SHORT, (1,)),
        262: (SHORT, (photometric,)),
        273: (LONG, tuple(offsets)),
        277: (SHORT, (len(bits),)),
        278: (LONG, (height,)),
        279: (LONG, tuple(map(len, strips))),
    }
