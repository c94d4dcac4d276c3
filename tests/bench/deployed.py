"""What infra/ deploys when nothing else is asked for."""

import re
from pathlib import Path
from typing import Literal

_VARIABLES = Path(__file__).parents[2] / "infra" / "variables.tf"


def deployed(function: Literal["http", "upload"]) -> dict[str, str]:
    """The defaults of a function's size by their names in infra/variables.tf, as they are written there."""
    text = _VARIABLES.read_text(encoding="utf-8")
    block = re.search(rf'^variable "{function}" \{{.*?^\}}', text, re.MULTILINE | re.DOTALL)
    assert block, f"{_VARIABLES} has no variable {function}"
    return {name: value.strip('"') for name, value in re.findall(r"(\w+) += optional\(\w+, ([^)]+)\)", block[0])}
