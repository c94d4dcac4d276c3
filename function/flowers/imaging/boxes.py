"""Read the boxes of HEIF and AVIF files (ISO/IEC 14496-12, 23008-12)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

# A picture of a thousand tiles has some 20,000 numbers.
_MAX_NUMBERS = 200_000
_MAX_META_BYTES = 8 * 1024 * 1024
_URNS_OF_ALPHA = {
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
    b"urn:mpeg:avc:2015:auxid:1",
}


class Box(NamedTuple):
    """Hold a box's type and content."""

    kind: bytes
    body: Any


class Item(NamedTuple):
    """Describe an item, a picture or its metadata: type, properties in order, and data as slices of a source."""

    kind: bytes
    properties: tuple[Box, ...]
    source: bytes
    extents: tuple[tuple[int, int], ...]

    def find(self, kind: bytes) -> bytes | None:
        """Return the first property of a kind."""
        return next((one.body for one in self.properties if one.kind == kind), None)

    @property
    def size(self) -> int:
        """Return how many bytes of data the item has; a length of zero means all bytes from the offset on."""
        return sum(length or max(0, len(self.source) - offset) for offset, length in self.extents)

    def data(self) -> bytes:
        """Return the item's data. Raise `ValueError` for more than all bytes of the file."""
        if self.size > len(self.source):
            raise ValueError("an item with more bytes than its file")
        return b"".join(self.source[offset : offset + length if length else None] for offset, length in self.extents)


class Container(NamedTuple):
    """Describe a file: brands, items by number, the primary item, and references as (kind, from) → to."""

    brands: frozenset[bytes]
    items: dict[int, Item]
    primary: int
    references: dict[tuple[bytes, int], tuple[int, ...]]

    def alphas_of(self, number: int) -> list[int]:
        """Return the items that are the transparency of an item. An unknown kind of auxiliary item counts as one."""
        found = [source for (kind, source), targets in self.references.items() if kind == b"auxl" and number in targets]
        return [one for one in found if one in self.items and _is_alpha(self.items[one])]


def _is_alpha(item: Item) -> bool:
    kind = item.find(b"auxC")
    return kind is None or kind[4:].split(b"\0")[0] in _URNS_OF_ALPHA


class Reader:
    """Read numbers from bytes. Raise `IndexError` at the end, and after far more numbers than any file needs."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        self.at = 0
        self._left = _MAX_NUMBERS

    def number(self, size: int) -> int:
        """Return the next `size` bytes as a number."""
        self._left -= 1
        if self.at + size > len(self.data) or self._left < 0:
            raise IndexError
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")


def boxes(data: bytes | memoryview) -> Iterator[Box]:
    """Yield the boxes in `data`. Raise `ValueError` for one that reaches beyond the end."""
    reader = Reader(data)
    while reader.at < len(data):
        start = reader.at
        size, kind = reader.number(4), reader.number(4).to_bytes(4, "big")
        if size == 1:
            size = reader.number(8)
        end = len(data) if size == 0 else start + size
        if end < reader.at or end > len(data):
            raise ValueError(f"box {kind!r} has {size} bytes")
        yield Box(kind, data[reader.at : end])
        reader.at = end


def read_container(data: bytes) -> Container:
    """Read the file's `meta` box. Raise errors of any class for a broken one."""
    brands = frozenset[bytes]()
    for box in boxes(memoryview(data)):
        if box.kind == b"ftyp":
            body = bytes(box.body)
            brands = frozenset(body[at : at + 4] for at in (0, *range(8, len(body), 4)))
        elif box.kind == b"meta":
            break
    else:
        raise ValueError("no meta box")
    if len(box.body) > _MAX_META_BYTES:
        raise ValueError(f"a meta box of {len(box.body)} bytes")
    parts: dict[bytes, bytes] = {}
    for part in boxes(bytes(box.body[4:])):
        if part.kind in parts:
            raise ValueError(f"two boxes {part.kind!r}")
        if part.kind != b"free":
            parts[part.kind] = part.body
    places = _places(parts[b"iloc"])
    properties = _properties(parts[b"iprp"])
    items = {}
    for number, kind in _item_kinds(parts[b"iinf"]).items():
        method, extents = places.get(number, (0, ()))
        source = parts.get(b"idat", b"") if method else data
        items[number] = Item(kind, tuple(properties.get(number, ())), source, extents)
    pitm = parts[b"pitm"]
    primary = int.from_bytes(pitm[4:] if pitm[0] else pitm[4:6], "big")
    return Container(brands, items, primary, _references(parts.get(b"iref", b"")))


def _item_kinds(body: bytes) -> dict[int, bytes]:
    kinds = {}
    for box in boxes(body[8:] if body[0] else body[6:]):
        entry = Reader(box.body)
        version = entry.number(4) >> 24
        number = entry.number(4 if version == 3 else 2)
        entry.number(2)
        kinds[number] = entry.number(4).to_bytes(4, "big")
    return kinds


# Where an item's data lie: in the file (0) or in the `idat` box (1), then pairs of an offset and a length.
_Place = tuple[int, tuple[tuple[int, int], ...]]


def _places(body: bytes) -> dict[int, _Place]:
    reader = Reader(body)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    places = {}
    for _ in range(reader.number(4 if version == 2 else 2)):
        number = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        if method > 1:
            raise ValueError("an item inside another")
        reader.number(2)
        base = reader.number(base_size)
        extents = []
        for _ in range(reader.number(2)):
            reader.number(index_size)
            offset = base + reader.number(offset_size)
            extents.append((offset, reader.number(length_size)))
        places[number] = (method, tuple(extents))
    return places


def _properties(body: bytes) -> dict[int, list[Box]]:
    all_boxes: list[Box] = []
    found: dict[int, list[Box]] = {}
    for part in boxes(body):
        if part.kind == b"ipco":
            all_boxes = list(boxes(part.body))
        elif part.kind == b"ipma":
            reader = Reader(part.body)
            head = reader.number(4)
            wide = head & 1
            for _ in range(reader.number(4)):
                number = reader.number(4 if head >> 24 else 2)
                for _ in range(reader.number(1)):
                    index = reader.number(2) & 0x7FFF if wide else reader.number(1) & 0x7F
                    if index:
                        found.setdefault(number, []).append(all_boxes[index - 1])
    return found


def _references(body: bytes) -> dict[tuple[bytes, int], tuple[int, ...]]:
    found: dict[tuple[bytes, int], list[int]] = {}
    size = 4 if body[:1] == b"\1" else 2
    for box in boxes(body[4:]):
        reader = Reader(box.body)
        targets = found.setdefault((box.kind, reader.number(size)), [])
        targets += [reader.number(size) for _ in range(reader.number(2))]
    return {key: tuple(targets) for key, targets in found.items()}
