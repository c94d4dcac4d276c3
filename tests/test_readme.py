"""The README keeps its word: its settings, targets and files exist."""

import re
from dataclasses import fields

from flowers.settings import Settings
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_lists_exactly_the_settings_with_their_defaults() -> None:
    section = README.split("## Configure")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", section, re.MULTILINE))
    assert set(documented) == {field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        text = documented[field.name.upper()].strip("` ")
        if isinstance(field.default, int | str):
            assert text == str(field.default), field.name


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^ +make ([a-z-]+)", README, re.MULTILINE))
    assert {"serve", "test", "export", "lint", "test-export"} <= named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
