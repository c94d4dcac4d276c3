"""Read the default sizes that infra/ deploys."""

import re
from typing import Literal

from tests.support.paths import ROOT

_VARIABLES = ROOT / "infra" / "variables.tf"


def deployed(function: Literal["http", "upload"]) -> dict[str, str]:
    """Return the defaults of a function's size by name, as infra/variables.tf writes them."""
    text = _VARIABLES.read_text(encoding="utf-8")
    block = re.search(rf'^variable "{function}" \{{.*?^\}}', text, re.MULTILINE | re.DOTALL)
    assert block, f"{_VARIABLES} has no variable {function}"
    return {name: value.strip('"') for name, value in re.findall(r"(\w+) += optional\(\w+, ([^)]+)\)", block[0])}
