"""Test that infra/ deploys what the planning recommends, that infra/SCALE.md is current, and the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.capacity.assumptions import MEMORY_SHARE, PRICE_LIST, Workload
from tests.bench.capacity.fleet import Route
from tests.bench.capacity.report import memory_text
from tests.bench.capacity.scale import DOCUMENT, recommended, with_tables
from tests.bench.deployed import deployed
from tests.support.paths import ROOT


@pytest.mark.parametrize("route", ["http", "upload"])
def test_infra_defaults_are_the_recommended_size(route: Route) -> None:
    size = recommended(route, Workload())
    assert size.fast_enough
    assert {name: value for name, value in deployed(route).items() if name != "ingress"} == {
        "memory": memory_text(size.memory_gib),
        "cpu": f"{size.instance.cpu:g}",
        "concurrency": str(size.instance.concurrency),
        "timeout_seconds": str(size.timeout_seconds),
        "min_instances": str(size.min_instances),
        "max_instances": str(size.max_instances),
    }


def test_infra_memory_alert_is_the_assumed_share() -> None:
    variables = (ROOT / "infra" / "variables.tf").read_text(encoding="utf-8")
    assert re.findall(r"memory_share += optional\(number, ([\d.]+)\)", variables) == [str(MEMORY_SHARE)]


def test_scale_tables_are_current() -> None:
    """Run `make capacity WRITE=1` if this fails, and check the text around the tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_tables(text) == text


def test_scale_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table demands"):
        with_tables("no marks")


def test_prices_have_unit_and_source() -> None:
    table = json.loads(PRICE_LIST.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", table["read"])
    for name, (dollars, unit, source) in table["prices"].items():
        assert dollars > 0 and unit and source.startswith("https://cloud.google.com/"), name


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "tests.bench.capacity", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_command_answers_for_own_numbers_and_prices(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"prices": {"request_cpu_second": 1}}', encoding="utf-8")
    done = run("--images-per-day", "100000", "--prices", str(prices))
    assert done.returncode == 0, done.stderr
    shown = ("100,000 photos a day", "recommended", "job once a day", "heaviest: MiB")
    assert [text for text in shown if text not in done.stdout] == []
    assert float(re.findall(r"cpu ([\d.]+), gib", done.stdout)[0]) > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peak", "0.5"], "--peak must be at least 1"),
        (["--cold-share", "2"], "--cold-share from 0 to 1"),
        (["--megapixels", "0"], "every other number above 0"),
        (["--prices", "/nowhere"], "cannot read /nowhere"),
    ],
)
def test_command_with_invalid_number_fails(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
