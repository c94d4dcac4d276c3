"""Test that the READMEs and guides are true: each command runs; settings, errors, targets, links and files exist."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from flowers.errors import CODES
from flowers.settings import Settings
from tests.support.drawn_flower import draw_flower, encode
from tests.support.paths import ROOT
from tests.support.readmes import READMES, all_commands
from tests.support.server_process import clean_environment, serving

# Where a command is run, by a pattern of commands. The first pattern that matches counts.
HERE = "tests/test_readme.py"
RUN_BY = {
    r"^curl .*localhost:8080|^echo .*\| curl .*localhost:8080": HERE,
    r"^(sudo )?([A-Z_]+=\S+ |ID_TOKEN=\$\(.*?\) )*make ": HERE,
    r"^\.venv/export/bin/python -m export ": "tests/export/test_readme_commands.py",
    r"^\.venv/export/bin/python -c |^echo .*> \.\./labels\.json": "tests/export/test_readme_commands.py",
    r"python -m backfill ": "tests/function/backfill/test_readme_commands.py",
    r"^(STORAGE_EMULATOR_HOST=\S+ )?\.venv/test/bin/python -m tests\.smoke ": "tests/test_smoke.py",
    r"^\.venv/test/bin/python -m tests\.local_cloud put ": "tests/test_local_cloud.py",
    r"^STORAGE_EMULATOR_HOST=\S+ \.venv/test/bin/python -c ": "tests/test_local_cloud.py",
}
NEEDS_GOOGLE_CLOUD = (
    r"^(until )?gcloud ",
    r"^bq ",
    r"^terraform -chdir=infra ",
    r"^[A-Z_]+=\$\((gcloud|terraform) ",
    r"^export PROJECT=",
    r"^curl .*gcloud auth print-identity-token",
    r"^curl .*127\.0\.0\.1:8085",  # Google's emulator of Pub/Sub, which gcloud installs
)


def home(command: str) -> str:
    """Return the file that runs a command, or "cloud", or nothing."""
    for pattern in NEEDS_GOOGLE_CLOUD:
        if re.search(pattern, command):
            return "cloud"
    return next((file for pattern, file in RUN_BY.items() if re.search(pattern, command)), "")


def test_every_command_is_run_or_needs_google_cloud() -> None:
    assert [command for command in all_commands() if not home(command)] == []


def test_commands_are_for_the_clone() -> None:
    folders = {folder for command in all_commands("terraform") for folder in re.findall(r"-chdir=(\S+)", command)}
    assert folders == {"infra"}


def test_every_pattern_has_a_command_and_a_test() -> None:
    assert [pattern for pattern in RUN_BY if not all_commands(pattern)] == []
    assert [file for file in RUN_BY.values() if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("command", [command for command in all_commands(r"\bmake ") if home(command) == HERE])
def test_make_command_is_understood_by_make(command: str) -> None:
    words = re.search(r"\bmake ([^|;&]*)", command)
    assert words
    dry_run = f"make --dry-run {words[1]}"
    done = subprocess.run(["bash", "-c", dry_run], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run the server of `make serve` on a free port and return it."""
    with serving(tmp_path_factory.mktemp("serve")) as port:
        yield port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the photos that the commands name, and a curl that shows the status."""
    folder = tmp_path_factory.mktemp("photos")
    for name in re.findall(r"\w+\.(?:jpg|heic)", " ".join(all_commands("localhost:8080"))):
        (folder / name).write_bytes(encode(draw_flower(), "JPEG"))  # the format is detected from the content
    (folder / ".curlrc").write_text('silent\nwrite-out = "\\n%{http_code}"\n')
    return folder


@pytest.mark.parametrize("command", [command for command in all_commands("localhost:8080") if "curl " in command])
def test_curl_command_is_answered(command: str, port: int, folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    done = subprocess.run(
        ["bash", "-c", command.replace("localhost:8080", f"127.0.0.1:{port}")],  # noqa: S607
        cwd=folder,
        env=clean_environment(CURL_HOME=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    *_, status = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    # No bucket is allowed unless a setting says so.
    assert status == ("403" if "gs://" in command else "200"), done.stdout


def section_of_function(title: str) -> str:
    """Return a section of the function's README."""
    text = (ROOT / "function" / "README.md").read_text(encoding="utf-8")
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_errors_table_lists_all_reasons_with_codes() -> None:
    documented: dict[str, int] = {}
    for codes, reasons in re.findall(r"^\| ([0-9, ]+) \| ([^|]+) \|", section_of_function("Errors"), re.MULTILINE):
        names = re.findall(r"[A-Z_]+", reasons)
        numbers = [int(code) for code in codes.split(", ")]
        documented |= zip(names, numbers if len(numbers) > 1 else numbers * len(names), strict=True)
    assert documented == {reason: code for reason, (code, _) in CODES.items()}


def test_settings_table_lists_all_with_defaults() -> None:
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", section_of_function("Settings"), re.MULTILINE))
    assert set(documented) == {field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        text = documented[field.name.upper()].strip("` ")
        if isinstance(field.default, int | str):
            assert text == str(field.default), field.name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_make_targets_exist(readme: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", readme.read_text(encoding="utf-8")))
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


@pytest.mark.parametrize("page", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_and_headings_exist(page: Path) -> None:
    for file, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert heading in slugs, (file, heading)


def test_readme_is_a_page_that_people_finish() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 170
