"""Keep the table of training runs that the model card shows."""

import json
from pathlib import Path
from typing import Any


def add_run(name: str, report: dict[str, Any], file: Path) -> Path:
    """Add the sources of an evaluation report that its run never saw to `file` (JSON), and return the file.

    A run of the same name is replaced.
    """
    runs = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    unseen = {source: figures for source, figures in report["sources"].items() if figures["trained_on"] == 0}
    runs = [run for run in runs if run["name"] != name] + [{"name": name, "sources": unseen}]
    file.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file
