"""Test that infra/DESPLIEGUE.md, the filled template, agrees with the code."""

import re
from dataclasses import fields

from flowers.settings import Settings
from tests.infra.conftest import INFRA, ROOT

TEXT = (INFRA / "DESPLIEGUE.md").read_text(encoding="utf-8")
TERRAFORM = "".join(file.read_text(encoding="utf-8") for file in INFRA.glob("*.tf"))


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table whose header line begins with `header`."""
    table = re.search(rf"^ *\| {re.escape(header)}.*\n *\|[ |-]+\n((?: *\|.*\n)+)", TEXT, re.MULTILINE)
    assert table, header
    return [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in table[1].splitlines()]


def test_no_blank_of_the_template_is_left() -> None:
    assert re.findall(r"\((?:plataforma|lista|imagen|nombre|instrucciones) [^)]*\)", TEXT) == []


def test_libraries_are_those_of_the_function() -> None:
    direct = re.findall(r"^[a-z-]+", (ROOT / "function" / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    lock = (ROOT / "function" / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", lock, re.MULTILINE))
    assert rows("biblioteca") == [[name, pins[name]] for name in direct]


def test_sizes_are_the_defaults_of_terraform() -> None:
    names = ("memory", "cpu", "concurrency", "timeout_seconds", "min_instances", "max_instances")
    columns = []
    for function in ("http", "upload"):
        block = re.search(rf'^variable "{function}" \{{.*?^\}}', TERRAFORM, re.MULTILINE | re.DOTALL)
        assert block
        found = {name: value.strip('"') for name, value in re.findall(r"(\w+) += optional\(\w+, ([^)]+)\)", block[0])}
        *single, least, most = (found[name] for name in names)
        columns.append([*single, f"{least} a {most}"])
    assert [row[1:] for row in rows("| `classify_http`")] == [list(pair) for pair in zip(*columns, strict=True)]


def test_variables_are_the_settings_with_defaults() -> None:
    documented = {row[0]: row[1] for row in rows("variable | por defecto")}
    assert set(documented) == {field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        if isinstance(field.default, int | str):
            assert documented[field.name.upper()] == str(field.default)


def test_paths_and_links_exist() -> None:
    paths = [row[0] for row in rows("ruta")]
    assert "function/main.py" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (INFRA / link).exists()] == []


def test_named_terraform_variables_exist() -> None:
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?: = \w+)?`", TEXT)) - {"classify_http", "classify_upload"}
    assert {"allow_unauthenticated", "archive_photos", "image_retention_days"} <= named
    known = set(re.findall(r'^variable "(\w+)"', TERRAFORM, re.MULTILINE)) | {
        "project_id",
        "public_access_prevention",
        "gcs_uri",
    }
    assert named <= known


def test_named_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^ *|\) )make ([a-z-]+)", TEXT, re.MULTILINE))
    assert {"plan", "deploy", "smoke"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
