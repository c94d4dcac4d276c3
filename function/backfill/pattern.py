"""Patterns of object names: `**` is any text, `*` any without a slash, `?` one character but a slash."""

import re
from dataclasses import dataclass

_WILDCARD = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Pattern:
    """A pattern of names, `2025/**/*.jpg`; one that is empty or ends with a slash stands for all below."""

    text: str

    def __post_init__(self) -> None:
        if not self.text or self.text.endswith("/"):
            object.__setattr__(self, "text", f"{self.text}**")

    @property
    def prefix(self) -> str:
        """The text before the first wildcard: all names that match begin with it."""
        return _WILDCARD.split(self.text, maxsplit=1)[0]

    @property
    def deep(self) -> bool:
        """Whether names in folders below that of the prefix may match."""
        rest = self.text.removeprefix(self.prefix)
        return "/" in rest or "**" in rest

    def matches(self, name: str) -> bool:
        """Whether the whole name is by the pattern."""
        return self._expression.fullmatch(name) is not None

    @property
    def _expression(self) -> re.Pattern[str]:
        expression, end = "", 0
        for wildcard in _WILDCARD.finditer(self.text):
            expression += re.escape(self.text[end : wildcard.start()]) + _MEANING[wildcard.group()]
            end = wildcard.end()
        return re.compile(expression + re.escape(self.text[end:]), re.DOTALL)  # which `re` caches
