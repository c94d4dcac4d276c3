"""Write an HTML page about a served file's answers to labelled photographs."""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .measure import top_accuracy

LEAST_SURE = 24
MOST_CONFUSED = 30
_THUMBNAIL = (160, 160)

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .2rem .8rem; text-align: left; }}
td.number {{ text-align: right; }}
ul {{ display: flex; flex-wrap: wrap; gap: 1rem; list-style: none; padding: 0; }}
li {{ width: 160px; }}
</style>
<h1>{name}</h1>
<p>{accuracy:.1f} % of {photos} photographs are named right.</p>
<h2>Accuracy by class</h2>
<table><tr><th>class<th>photos<th>right{classes}</table>
<h2>Confused classes</h2>
<table><tr><th>shown<th>named<th>photos{confusions}</table>
<h2>Least sure</h2>
<ul>{least_sure}</ul>
</html>
"""


def _row(*cells: str | int) -> str:
    tags = (f'<td class="number">{cell}' if isinstance(cell, int) else f"<td>{html.escape(cell)}" for cell in cells)
    return "\n<tr>" + "".join(tags)


def _picture(file: Path) -> str:
    """Return a photograph, made small, as an address that holds the picture itself."""
    with Image.open(file) as image:
        small = image.convert("RGB")
        small.thumbnail(_THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write_page(
    out: Path,
    name: str,
    labels: Sequence[str],
    files: Sequence[Path],
    truth: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> None:
    """Write the accuracy of each class, the confused classes and the least sure photographs to `out`.

    `truth` [N] are the classes of the photographs, `shares` [N, C] the confidences, 0..1.
    """
    named = shares.argmax(axis=1)
    per_class = sorted(
        (float((named[truth == index] == index).mean()), label, int((truth == index).sum()))
        for index, label in enumerate(labels)
        if (truth == index).any()
    )
    confused = Counter((labels[shown], labels[best]) for shown, best in zip(truth, named, strict=True) if shown != best)
    unsure = np.argsort(shares.max(axis=1), kind="stable")[:LEAST_SURE]
    page = _PAGE.format(
        name=html.escape(name),
        accuracy=top_accuracy(shares, truth) * 100,
        photos=len(truth),
        classes="".join(_row(label, photos, f"{right * 100:.0f} %") for right, label, photos in per_class),
        confusions="".join(_row(*pair, count) for pair, count in confused.most_common(MOST_CONFUSED)),
        least_sure="".join(
            f'\n<li><img src="{_picture(files[index])}" alt=""><br>{html.escape(labels[truth[index]])}'
            f"<br>named {html.escape(labels[named[index]])}, {shares[index].max() * 100:.0f} %"
            for index in unsure
        ),
    )
    out.write_text(page, encoding="utf-8")
