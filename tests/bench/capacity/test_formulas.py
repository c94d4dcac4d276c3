"""Test the formulas of the capacity planning on cases computed by hand, and against the measurements."""

import math
from dataclasses import astuple, replace
from typing import Any

import pytest

from flowers.cloud.storage import CALL_SECONDS
from flowers.imaging.memory import WAIT_SECONDS
from flowers.settings import Settings
from tests.bench.capacity import assumptions as assumed
from tests.bench.capacity import fleet, measure
from tests.bench.capacity.assumptions import Workload, read_prices
from tests.bench.capacity.cost import log_bytes, other_ways, size, sizes
from tests.bench.capacity.fleet import MEASURED, Instance, Photo, Work, max_rate, measured_instances
from tests.bench.capacity.scale import ramp_minutes

# Round numbers: a photo of 1 MB takes 20 ms of CPU and 100 ms to arrive at 80 Mbit/s.
PHOTOS = (Photo(1, 1e6, 0.02, 0.1), Photo(11, 11e6, 0.12, 0.6))
ONE = Instance(1, 8, 1.0, PHOTOS, 10.0, 900)
BUSY = Workload(images_per_day=864_000, peak=3, cold_share=0, latency_ms=1000, megapixels=1, uplink_mbit=80)
IMAGES = 864_000 * 365 / 12
PRICES = dict.fromkeys(read_prices(), 0.0) | {
    "request_cpu_second": 0.01,
    "request_gib_second": 0.001,
    "idle_cpu_second": 0.002,
    "million_requests": 1,
    "instance_cpu_second": 0.005,
    "thousand_class_a": 0.01,
    "thousand_class_b": 0.001,
    "machine_hour": 0.1,
}


@pytest.mark.parametrize(("instance", "measured"), [*zip(measured_instances(), MEASURED["instances"], strict=True)])
def test_max_rate_is_the_measured_rate(instance: Instance, measured: dict[str, Any]) -> None:
    for photo, found in zip(instance.photos, measured["photos"].values(), strict=True):
        taken = Work(photo.cpu_seconds / min(1.0, instance.cpu), photo.cpu_seconds)
        assert max_rate(1, taken, instance) == pytest.approx(found["per_second"], rel=0.2)


def test_photo_between_sizes_is_interpolated() -> None:
    assert astuple(ONE.photo(6)) == pytest.approx((6, 6e6, 0.07, 0.35))
    assert ONE.photo(21).cpu_seconds == pytest.approx(0.22)
    assert ONE.photo(0.1).cpu_seconds == pytest.approx(0.02)
    assert replace(ONE, photos=(*PHOTOS, Photo(21, 3e7, 1.12, 2))).photo(16).cpu_seconds == pytest.approx(0.62)


def test_slots_follow_erlang_b() -> None:
    # One busy slot on average: all of one slot are taken 1/2 of the time, all of two slots 1/5. Two busy: 2/3, 2/5, …
    assert [fleet.slots_for(1, share) for share in (0.51, 0.49, 0.2, 0.19)] == [1, 2, 2, 3]
    assert [fleet.slots_for(2, share) for share in (0.67, 0.4, 0.22, 0.096, 0.095)] == [1, 2, 3, 4, 5]


def test_instances_follow_cpu_or_slots() -> None:
    assert [fleet.instances_needed(rate, Work(0.02, 0.02), ONE) for rate in (30, 31)] == [1, 2]
    waiting = Work(2.0, 0.001)
    assert fleet.instances_needed(1, waiting, replace(ONE, concurrency=1)) == 7
    # 100 busy slots: 117 are enough, 167 are the autoscaler's target.
    assert (fleet.instances_needed(50, waiting, ONE), fleet.instances_started(50, waiting, ONE)) == (15, 21)


def test_billed_seconds_are_shared_by_photos() -> None:
    photo = Work(0.12, 0.02)
    assert fleet.billed_seconds(1e-9, photo, ONE) == pytest.approx(0.2)
    assert fleet.billed_seconds(10, photo, ONE) == pytest.approx((1 - math.exp(-2)) / 10)
    assert fleet.billed_seconds(1000, photo, ONE) == pytest.approx(0.02 / 0.6)
    assert fleet.billed_seconds(1000, Work(0.6, 0.02), ONE) == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("cpu", "mib", "gib"), [(1, 460, 0.5), (1, 461, 1), (1, 922, 2), (1, 3700, None), (2, 3700, 8), (0.5, 930, None)]
)
def test_memory_stays_below_the_alert(cpu: float, mib: float, gib: float | None) -> None:
    assert replace(ONE, cpu=cpu, peak_mib=mib).memory_gib == gib


def test_http_month_costs_what_is_billed() -> None:
    found = size("http", ONE, BUSY, PRICES)
    billed = IMAGES * (1 - math.exp(-2)) / 10
    assert found and found.cost == pytest.approx(billed * 0.011 + IMAGES / 1e6)
    free = PRICES | {"request_free_cpu_seconds": 1e6, "free_requests": 1e6}
    cheaper = size("http", ONE, BUSY, free)
    assert cheaper and cheaper.cost == pytest.approx(found.cost - 1e4 - 1)


def test_upload_month_costs_requests_and_operations() -> None:
    beside, apart = (size("upload", ONE, replace(BUSY, separate_results=each), PRICES) for each in (False, True))
    assert beside and beside.monthly["requests"] == pytest.approx(2 * IMAGES / 1e6)
    assert beside.monthly["operations"] == pytest.approx(IMAGES / 1000 * 0.023)
    assert apart and apart.monthly["requests"] == pytest.approx(IMAGES / 1e6)
    assert log_bytes("upload", BUSY) > 1.9 * log_bytes("http", BUSY)


@pytest.mark.parametrize(("share", "latency_ms", "kept"), [(0.05, 2000, 0), (0.06, 2000, 1), (0.06, 2200, 0)])
def test_cold_starts_that_show_keep_instances(share: float, latency_ms: float, kept: int) -> None:
    found = size("http", ONE, replace(BUSY, peak=1, cold_share=share, latency_ms=latency_ms), PRICES)
    assert found and found.min_instances == kept
    idle = 730 * 3600 - IMAGES * (1 - math.exp(-2)) / 10
    assert found.monthly.get("idle", 0) == pytest.approx(idle * 0.002 * kept)


def test_cheapest_fast_size_is_recommended() -> None:
    wide = replace(ONE, concurrency=16, photos=tuple(replace(each, p95_seconds=0.9) for each in PHOTOS))
    large, rare = replace(ONE, cpu=2), replace(BUSY, images_per_day=100)

    def order(latency_ms: float) -> list[tuple[float, int, bool]]:
        found = sizes("http", [large, ONE, wide], replace(rare, latency_ms=latency_ms), PRICES)
        return [(each.instance.cpu, each.instance.concurrency, each.fast_enough) for each in found]

    assert order(1000) == [(1, 16, True), (1, 8, True), (2, 8, True)]
    assert order(500) == [(1, 8, True), (2, 8, True), (1, 16, False)]
    assert order(50)[0][2] is False


def test_timeout_covers_twice_the_slowest_and_the_wait() -> None:
    # Twice 1 s to place, 1 s to start and 10 s to answer are 24 s. 32 MiB at 20 Mbit/s take 13.4 s.
    assert fleet.timeout_seconds("http", ONE, BUSY) == 60
    assert fleet.timeout_seconds("http", ONE, replace(BUSY, uplink_mbit=320)) == 30
    assert fleet.timeout_seconds("upload", ONE, BUSY) == 120


def test_other_ways_cost_their_hours() -> None:
    # The peak's 30 photos of 20 ms use 0.6 CPUs of one machine. A day's photos are a task of 19,201 s.
    single = replace(ONE, concurrency=1)
    found = other_ways([ONE, single], BUSY, PRICES)
    assert found["e2-standard-2 machines"] == pytest.approx(73)
    assert found["billed by instance"] == pytest.approx(730 * 3600 * 0.005)
    assert found["job once a day"] == pytest.approx(19_201 * 365 / 12 * 0.005 + IMAGES / 1000 * 0.023)


def test_bucket_doubles_every_20_minutes() -> None:
    assert [ramp_minutes(rate, 1000) for rate in (900, 2000, 8000)] == pytest.approx([0, 20, 60])


def test_assumptions_match_the_function() -> None:
    settings = Settings()
    assert settings.max_image_bytes == assumed.MAX_IMAGE_BYTES
    assert settings.pixel_budget == measure.MAX_PIXELS
    assert WAIT_SECONDS == assumed.BUDGET_WAIT_SECONDS
    assert CALL_SECONDS < assumed.LONGEST_CALL_SECONDS
