"""Check that imports run downward, and that each library stays in its room.

Ruff bans the libraries as well, but exempts a file from all bans at once.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FUNCTION = ROOT / "function"
BANNED = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
)
ALLOWED = {
    "main.py": {"flask"},
    "backfill/estimate.py": {"PIL"},
    "backfill/report.py": {"PIL"},
    "flowers/upload.py": {"flask"},
    "flowers/http": {"flask"},
    "flowers/cloud": {"google"},
    "flowers/imaging": {"PIL", "pillow_heif"},
    "flowers/model/session.py": {"onnxruntime"},
}
# Each floor imports the floors below it, never its own or a higher one.
FLOORS = (
    {"main", "backfill"},
    {"flowers.http", "flowers.upload"},
    {"flowers.results", "flowers.log"},
    {"flowers.classifier"},
    {"flowers.settings"},
    {"flowers.model"},
    {"flowers.documents"},
    {"flowers.imaging", "flowers.cloud"},
    {"flowers.errors", "flowers.process"},
    {"flowers"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(FUNCTION.rglob("*.py"))


def room(name: str) -> str:
    """Return the room of a module: `backfill` is one, each part of `flowers` is another."""
    parts = name.split(".")
    return parts[0] if parts[0] != "flowers" else ".".join(parts[:2])


def imports(text: str, package: str) -> Iterator[str]:
    """Yield the full names that a module of `package` imports, wherever the import stands."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def faults(file: Path, text: str) -> list[str]:
    """Return the imports of a file that its room forbids."""
    path = file.relative_to(FUNCTION)
    allowed = set().union(*(names for place, names in ALLOWED.items() if path.is_relative_to(place)))
    own = room(".".join(path.with_suffix("").parts))
    found = []
    for name in imports(text, ".".join(path.parent.parts)):
        library, other = name.split(".")[0], room(name)
        other = other if other in FLOOR else library
        if library in BANNED - allowed:
            found.append(f"{path} imports {name}")
        elif other in FLOOR and other != own and own in FLOOR and FLOOR[other] <= FLOOR[own]:
            found.append(f"{path} imports {name}, which is not below it")
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {room(".".join(file.relative_to(FUNCTION).with_suffix("").parts)) for file in FILES}
    assert rooms - {"flowers.__init__"} == set(FLOOR) - {"flowers"}


def test_imports_of_every_file_are_allowed() -> None:
    assert [fault for file in FILES for fault in faults(file, file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("flowers/http/page.py", "import onnxruntime"),
        ("flowers/http/page.py", "from google.cloud import storage"),
        ("flowers/cloud/storage.py", "    from PIL import Image"),
        ("flowers/imaging/decode.py", "import flask"),
        ("flowers/model/session.py", "import google.auth"),
        ("flowers/model/outputs.py", "from ..settings import Settings"),
        ("flowers/settings.py", "from . import classifier"),
        ("flowers/upload.py", "from .http.page import page"),
        ("flowers/documents.py", "from flowers.model.species import Species"),
    ],
)
def test_planted_import_is_found(file: str, line: str) -> None:
    text = f"if True:\n{line}" if line.startswith(" ") else line
    assert len(faults(FUNCTION / file, text)) == 1
