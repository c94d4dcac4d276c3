"""Read the READMEs and the guides beside them: their shell commands."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

FOLDERS = ("", "export", "function", "function/backfill", "infra", "tests", "tests/bench")
GUIDES = (".github/CONTRIBUTING.md", "infra/DESPLIEGUE.md", "infra/RUNBOOK.md", "infra/SCALE.md")
READMES = [*(ROOT / folder / "README.md" for folder in FOLDERS), *(ROOT / guide for guide in GUIDES)]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+")
_COMMAND = re.compile(r"(?:bash|bq|cp|curl|echo|export|gcloud|make|python|sudo|terraform|until) |\.venv/|[A-Z_]+=")


def commands(readme: Path) -> Iterator[str]:
    """Yield the shell commands of code blocks, each as one line without its comment."""
    text = readme.read_text(encoding="utf-8")
    blocks = [block for language, block in _FENCED.findall(text) if language == "sh"]
    blocks += _INDENTED.findall(_FENCED.sub("", text))
    for block in blocks:
        joined = re.sub(r"\\\n\s*", "", block)
        for line in joined.splitlines():
            command = re.sub(r"\s+#\s.*$", "", line).strip()
            if _COMMAND.match(command):
                yield command


def all_commands(pattern: str = "") -> list[str]:
    """Return the different commands of all READMEs that match a pattern."""
    found = {command for readme in READMES for command in commands(readme)}
    return sorted(command for command in found if re.search(pattern, command))
