"""infra/SCALE.md says what the program says, and the program says what can be worked out by hand."""

from dataclasses import replace

import pytest

from tests.bench.scale.__main__ import DOCUMENT, TABLES, with_table
from tests.bench.scale.model import MEASURED, Backfill, Settings, dollars_a_million, log_bytes, ramp_minutes
from tests.bench.scale.runs import fitted, simulated
from tests.bench.scale.service import Kind, Service
from tests.bench.scale.simulation import poisson, simulate

UPLOAD = Settings("upload", cpu=1, memory_gib=1.0, concurrency=8, max_instances=10)


@pytest.mark.parametrize("name", TABLES)
def test_the_document_has_the_table_that_the_program_makes(name: str) -> None:
    """Otherwise: `make scale`, and see whether the text around it still holds."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_table(text, name, TABLES[name]()) == text


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="one place for the table uploads"):
        with_table("no marks", "uploads", "| a |")


def test_the_mix_of_uploads_takes_the_processor_seconds_that_were_measured() -> None:
    photo, result = (MEASURED["upload"][kind]["cpu_seconds"] for kind in ("photo", "result"))
    assert replace(UPLOAD, separate_results=True).cpu_seconds == pytest.approx(photo)
    assert UPLOAD.cpu_seconds == pytest.approx(photo + result)


def test_results_beside_images_double_events() -> None:
    apart = replace(UPLOAD, separate_results=True)
    assert (UPLOAD.requests, apart.requests) == (2, 1)
    assert log_bytes(UPLOAD) > 1.9 * log_bytes(apart)
    assert replace(UPLOAD, function="http").requests == 1


@pytest.mark.parametrize(("rate", "minutes"), [(900, 0), (1000, 0), (2000, 20), (8000, 60)])
def test_a_bucket_doubles_every_twenty_minutes(rate: float, minutes: float) -> None:
    assert ramp_minutes(rate, 1000) == pytest.approx(minutes)


def test_a_million_uploads_cost_what_the_price_list_says() -> None:
    """1 s of a vCPU and 1 GiB each: 24 + 2.5 dollars; 2 million writes at 5 dollars, 2 million reads at 0.40."""
    costs = dollars_a_million(UPLOAD, billed_seconds=1.0)
    assert costs["instances"] == pytest.approx(26.5)
    assert costs["storage"] == pytest.approx(10.8)
    assert costs["requests"] == pytest.approx(0.8)


def test_a_backfill_takes_as_long_as_its_processors_need() -> None:
    """100 vCPUs, busy for 0.9 of an hour, serve 324,000 seconds of work in it; twice as many cost the same."""
    one, two = Backfill(1e9, 100), Backfill(1e9, 200)
    assert one.hours == pytest.approx(1e9 * MEASURED["upload"]["photo"]["cpu_seconds"] / 324_000)
    assert two.hours == pytest.approx(one.hours / 2)
    assert two.worker_dollars == pytest.approx(one.worker_dollars)
    assert one.storage_dollars == pytest.approx(5000 + 10 + 400)


def test_a_part_of_a_fleet_is_used_as_the_formula_foretells() -> None:
    settings = fitted("upload", 1e8)
    runs = simulated(settings, 1e8)
    assert runs
    assert settings.max_instances % runs.parts == 0
    average = settings.instances_for(2 * 1e8 / 86_400)  # as long at the average as at three times that
    assert runs.hours.mean_instances * runs.parts == pytest.approx(average, rel=0.6)
    assert runs.hours.refused == runs.hours.lost == 0


def test_more_than_fits_is_lost_after_a_day_and_the_rest_is_served() -> None:
    """One instance, ten minutes an upload: 144 a day. Twice as many for ten days: half are lost, it never idles."""
    service = Service(cpu=1, concurrency=1, max_instances=1, start_seconds=1.0, retries=True)
    days = 86_400.0
    outcome = simulate(service, [Kind(1, 600.0)], poisson([(10 * days, 288 / days)]), warm=1, seconds=10 * days)
    assert outcome.served / 1440 > 0.9
    assert outcome.lost / outcome.requests == pytest.approx(0.45, abs=0.08)  # those of the last day may yet be served
    assert simulated(UPLOAD, 1e8) is None
