"""Write what a photo shows into a sidecar that photo managers read.

XMP: ISO 16684-1. `lr:hierarchicalSubject` is what Lightroom, digiKam and darktable show as a tree of keywords.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from .job import Job
from .table import read_documents

_TOOLKIT = "flowers-backfill"
_X, _RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC, _LR = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/lightroom/1.0/"
_TOP_KEYWORD = "Plants"


def write_sidecars(job: Job) -> tuple[int, int]:
    """Write `photo.jpg.xmp` beside each photo whose kind is identified.

    Return how many were written, and how many are there from other programs, which are left alone.
    """
    for prefix, uri in (("x", _X), ("rdf", _RDF), ("dc", _DC), ("lr", _LR)):
        ET.register_namespace(prefix, uri)
    written = left = 0
    for image, document in read_documents(job):
        if document is None or not document.get("identified"):
            continue
        sidecar = Path(job.place, f"{image.address.name}.xmp")
        if sidecar.exists() and not _is_ours(sidecar):
            left += 1
            continue
        sidecar.write_bytes(_sidecar(document["species"], job.settings.default_language))
        written += 1
    return written, left


def _is_ours(sidecar: Path) -> bool:
    """Return whether this program wrote the file, and no photo manager has changed it since."""
    try:
        return ET.fromstring(sidecar.read_bytes()).get(f"{{{_X}}}xmptk") == _TOOLKIT  # noqa: S314
    except (ET.ParseError, OSError):
        return False


def _sidecar(species: Any, language: str) -> bytes:
    name, family, scientific = species["names"].get(language), species.get("family"), species["scientific_name"]
    keywords = [keyword for keyword in (name, scientific, family) if keyword]
    branch = [keyword for keyword in (_TOP_KEYWORD, family, scientific or name) if keyword]
    root = ET.Element(f"{{{_X}}}xmpmeta", {f"{{{_X}}}xmptk": _TOOLKIT})
    description = ET.SubElement(
        ET.SubElement(root, f"{{{_RDF}}}RDF"), f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""}
    )
    for tag, entries in ((f"{{{_DC}}}subject", keywords), (f"{{{_LR}}}hierarchicalSubject", ["|".join(branch)])):
        bag = ET.SubElement(ET.SubElement(description, tag), f"{{{_RDF}}}Bag")
        for entry in entries:
            ET.SubElement(bag, f"{{{_RDF}}}li").text = entry
    ET.indent(root)
    return f"{ET.tostring(root, encoding='unicode')}\n".encode()
