"""What `make sizing` recommends for the usual numbers is what infra/ deploys; its prices have sources."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.deployed import deployed
from tests.bench.sizing.cost import Option, options
from tests.bench.sizing.model import MEMORY_SHARE, Needs, Route, settings_of

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "tests" / "bench"
MEASURED = json.loads((BENCH / "sizing" / "sizing.json").read_text(encoding="utf-8"))
TABLE = json.loads((BENCH / "prices.json").read_text(encoding="utf-8"))
PRICES = {name: float(dollars) for name, (dollars, _, _) in TABLE["prices"].items()}


def recommended(route: Route) -> Option:
    """For the usual numbers."""
    return options(route, settings_of(MEASURED), Needs(), PRICES)[0]


@pytest.mark.parametrize("route", ["http", "upload"])
def test_the_defaults_of_infra_are_what_is_recommended(route: Route) -> None:
    option = recommended(route)
    assert option.fast_enough
    assert {name: value for name, value in deployed(route).items() if name != "ingress"} == {
        "memory": f"{option.memory_gib:g}Gi",
        "cpu": f"{option.cpu:g}",
        "concurrency": str(option.concurrency),
        "timeout_seconds": str(option.timeout_seconds),
        "min_instances": str(option.min_instances),
        "max_instances": str(option.max_instances),
    }


def test_the_alert_for_memory_is_above_what_was_measured() -> None:
    variables = (ROOT / "infra" / "variables.tf").read_text(encoding="utf-8")
    assert re.findall(r"memory_share += optional\(number, ([\d.]+)\)", variables) == [str(MEMORY_SHARE)]


def test_every_price_says_what_it_is_for_and_where_it_was_read() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", TABLE["read"])
    for name, (dollars, unit, source) in TABLE["prices"].items():
        assert dollars > 0 and unit and source.startswith("https://cloud.google.com/"), name


def test_measurements_say_when_and_where_they_were_made() -> None:
    assert {"date", "processor", "python", "versions"} <= set(MEASURED)
    assert {(each["cpu"], each["concurrency"]) for each in MEASURED["settings"]} >= {(1, 1), (1, 8), (2, 8)}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Sizing as it is called."""
    command = [sys.executable, "-m", "tests.bench.sizing", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_answers_for_ones_own_numbers_and_prices(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="runs in an environment of its own: make test-load")
    prices = tmp_path / "prices.json"
    prices.write_text('{"prices": {"request_cpu_second": 1}}', encoding="utf-8")
    usual = run("--out", str(tmp_path))
    dear = run("--out", str(tmp_path), "--images-per-day", "100000", "--prices", str(prices))
    assert usual.returncode == dear.returncode == 0, usual.stderr + dear.stderr
    assert "For 10,000 photos a day" in usual.stdout and "For 100,000 photos a day" in dear.stdout
    assert "recommended" in usual.stdout and "images a day" in usual.stdout
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert float(re.findall(r"cpu ([\d.]+), memory", dear.stdout)[0]) > 10_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--peak", "0.5"], "no less than 1"),
        (["--cold-share", "2"], "from 0 to 1"),
        (["--prices", "/nowhere"], "cannot"),
    ],
)
def test_numbers_that_cannot_be_are_refused(arguments: list[str], told: str) -> None:
    pytest.importorskip("matplotlib", reason="runs in an environment of its own: make test-load")
    done = run(*arguments)
    assert done.returncode != 0
    assert told in done.stderr
