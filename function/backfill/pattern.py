"""Match object names with patterns: `**` is any text, `*` any without a slash, `?` one character but a slash."""

import re
from dataclasses import dataclass

_WILDCARD = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Pattern:
    """Match names, as `2025/**/*.jpg` does. An empty pattern, or one with a slash at its end, matches all below."""

    text: str

    def __post_init__(self) -> None:
        if not self.text or self.text.endswith("/"):
            object.__setattr__(self, "text", f"{self.text}**")

    @property
    def prefix(self) -> str:
        """Return the text before the first wildcard: all names that match begin with it."""
        return _WILDCARD.split(self.text, maxsplit=1)[0]

    @property
    def deep(self) -> bool:
        """Return whether names in folders below the prefix's folder may match."""
        rest = self.text.removeprefix(self.prefix)
        return "/" in rest or "**" in rest

    def matches(self, name: str) -> bool:
        """Return whether the whole name matches."""
        return self._expression.fullmatch(name) is not None

    @property
    def _expression(self) -> re.Pattern[str]:
        expression, end = "", 0
        for wildcard in _WILDCARD.finditer(self.text):
            expression += re.escape(self.text[end : wildcard.start()]) + _MEANING[wildcard.group()]
            end = wildcard.end()
        return re.compile(expression + re.escape(self.text[end:]), re.DOTALL)  # which `re` caches
