"""Write the page on which a person goes through the photos of `review/` by keyboard.

It is one file beside the photos, opened from the disk. A page from the disk cannot write files, so it offers its
decisions as a download. Its policy lets it load nothing but the photos.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .photo import KINDS, ReviewPhoto

PAGE = "index.html"
_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(file: Path, photos: Sequence[ReviewPhoto], names: Mapping[str, str]) -> None:
    """Write the page. `names` says which label each name means."""
    data = json.dumps({"photos": photos, "names": names, "kinds": KINDS}, ensure_ascii=False)
    # Text of strangers must not end the element that holds it.
    data = data.replace("<", "\\u003c")
    file.write_text(_TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data), encoding="utf-8")
