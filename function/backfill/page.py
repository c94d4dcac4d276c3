"""Write HTML pages that need no other file."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: #fff }
table { border-collapse: collapse }
td { padding: .1rem .8rem .1rem 0 }
.n { text-align: right; font-variant-numeric: tabular-nums }
.bar { background: #7a4fb5; height: .9rem; border-radius: 2px }
.chart td { width: 1%; white-space: nowrap }
.chart td:has(.bar) { width: 40% }
.chart td.long { white-space: normal; width: 60% }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 1rem }
figure { margin: 0; font-size: 13px; overflow-wrap: anywhere }
img, .none { width: 160px; height: 160px; border-radius: 4px; background: #eee }
.none { display: grid; place-items: center; color: #777 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } .none { background: #333 } }
"""


def write_html(file: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page of these parts, which are HTML."""
    file.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{text(title)}</title><style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n",
        encoding="utf-8",
    )


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a heading and a table of cells, or nothing if there are no rows."""
    lines = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<h2>{text(title)}</h2><table class=chart>{lines}</table>" if rows else ""


def cell(content: str, long: bool = False) -> str:
    """Return a cell with a text; a `long` one breaks into lines."""
    return f"<td{' class=long' if long else ''}>{text(content)}</td>"


def count(number: int) -> str:
    """Return a cell with a number."""
    return f"<td class=n>{number:,}</td>"


def bar(share: float) -> str:
    """Return a cell with a bar as long as a share, 0 to 1, of the cell."""
    return f'<td><div class=bar style="width:{100 * share:.1f}%"></div></td>'


def text(content: str) -> str:
    """Return a text as HTML, whatever bytes a file's name has."""
    return html.escape(content.encode(errors="backslashreplace").decode())
