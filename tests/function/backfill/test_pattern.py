"""Test that patterns of names mean what a shell's do."""

import pytest

from backfill.pattern import Pattern

NAMES = [
    "rose.jpg",
    "2025/rose.jpg",
    "2025/05/rose.jpg",
    "2025/05/rose.png",
    "2025-1/a.jpg",
    "2025/a+b (1).jpg",
    "2026/x\ny",
]
CASES = {
    "**": NAMES,
    "": NAMES,
    "2025/**": [name for name in NAMES if name.startswith("2025/")],
    "2025/": [name for name in NAMES if name.startswith("2025/")],
    "*.jpg": ["rose.jpg"],
    "**/*.jpg": [name for name in NAMES if name.endswith(".jpg")],
    "**.png": ["2025/05/rose.png"],
    "2025/**/*.jpg": ["2025/rose.jpg", "2025/05/rose.jpg", "2025/a+b (1).jpg"],
    "2025/*": ["2025/rose.jpg", "2025/a+b (1).jpg"],
    "2025/*/*": ["2025/05/rose.jpg", "2025/05/rose.png"],
    "2025?*/*": ["2025-1/a.jpg"],
    "2025/a+b (1).jpg": ["2025/a+b (1).jpg"],
    "202?/rose.jpg": ["2025/rose.jpg"],
    "2026/*": ["2026/x\ny"],
    "rose": [],
    "r[a-z]se.jpg": [],
}


@pytest.mark.parametrize("pattern", CASES)
def test_pattern_matches_as_in_a_shell(pattern: str) -> None:
    assert [name for name in NAMES if Pattern(pattern).matches(name)] == CASES[pattern]


@pytest.mark.parametrize("pattern", CASES)
def test_match_has_prefix_and_depth_of_pattern(pattern: str) -> None:
    made = Pattern(pattern)
    for name in CASES[pattern]:
        assert name.startswith(made.prefix)
        assert made.deep or "/" not in name.removeprefix(made.prefix)
