"""Load the web page: the files of `page/` as one answer. Its policy lets nothing else run or load."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "page"
_PARTS = re.compile(r'<link rel="stylesheet" href="(?P<style>\w+\.css)">|<script src="(?P<script>\w+\.js)"></script>')


class Page(NamedTuple):
    """Hold an HTML document and its headers."""

    text: str
    headers: Mapping[str, str]


def load_page(folder: Path = _FOLDER, archived: bool = False) -> Page:
    """Return `index.html` with its styles and scripts inline. The policy allows each by its digest.

    `archived` says that the service keeps the photos, and takes corrections.
    """
    digests: dict[str, list[str]] = {"style": [], "script": []}

    def put_in(link: re.Match[str]) -> str:
        kind = str(link.lastgroup)
        content = (folder / link[kind]).read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        digests[kind].append(f"'sha256-{digest}'")
        return f"<{kind}>{content}</{kind}>"

    text = _PARTS.sub(put_in, (folder / "index.html").read_text(encoding="utf-8"))
    if archived:
        text = text.replace('data-text="visitHint"', 'data-text="visitHintArchived"')
        text = text.replace("<html ", "<html data-archived ").replace(
            'data-text="dropHint"', 'data-text="dropHintArchived"'
        )
    policy = {
        "default-src": "'none'",
        "style-src": " ".join(digests["style"]),
        "script-src": " ".join(digests["script"]),
        "img-src": "blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return Page(
        text,
        {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "Cross-Origin-Opener-Policy": "same-origin",
            "ETag": f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"',
            "Referrer-Policy": "no-referrer",
        },
    )
