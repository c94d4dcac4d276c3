"""The arithmetic of sizing, on cases computed by hand."""

import math
from dataclasses import astuple, replace

import pytest

from flowers.cloud.storage import CALL_SECONDS
from flowers.imaging.memory import WAIT_SECONDS
from flowers.settings import Settings
from tests.bench.sizing import model, photos
from tests.bench.sizing.cost import always_on, crossing, job, machines, option, options
from tests.bench.sizing.model import (
    Needs,
    Photo,
    Setting,
    billed_seconds,
    instances_for,
    memory_gib,
    places_for,
    timeout_seconds,
    wait_seconds,
)

# Round numbers: a photo of 1 MB takes 20 ms of cpu, one of 10 MB 110 ms.
PHOTOS = (Photo(1, 1e6, 0.02, 0.1), Photo(11, 11e6, 0.12, 0.6))
ONE = Setting(1, 8, 1.0, PHOTOS, 10.0, 900)
# 864,000 a day: 10 a second.
BUSY = Needs(images_per_day=864_000, peak=3, cold_share=0, latency_ms=1000, megapixels=1, uplink_mbit=80)
NOTHING_FREE = {
    "request_cpu_second": 0.01,
    "request_gib_second": 0.001,
    "request_free_cpu_seconds": 0,
    "request_free_gib_seconds": 0,
    "idle_cpu_second": 0.002,
    "idle_gib_second": 0.0002,
    "million_requests": 1,
    "free_requests": 0,
    "instance_cpu_second": 0.005,
    "instance_gib_second": 0,
    "instance_free_cpu_seconds": 0,
    "instance_free_gib_seconds": 0,
    "egress_gib": 0,
    "storage_gib_month": 0,
    "thousand_class_a": 0.01,
    "thousand_class_b": 0.001,
    "event_tib": 0,
    "event_free_gib": 0,
    "machine_hour": 0.1,
}


def test_a_photo_between_the_measured_sizes_is_on_the_line_and_so_is_one_beyond() -> None:
    assert astuple(ONE.photo(6)) == pytest.approx((6, 6e6, 0.07, 0.35))
    assert ONE.photo(21).cpu_seconds == pytest.approx(0.22)
    assert ONE.photo(0.1).cpu_seconds == pytest.approx(0.02)
    three = replace(ONE, photos=(*PHOTOS, Photo(21, 30e6, 1.12, 2)))
    assert three.photo(16).cpu_seconds == pytest.approx(0.62)


def test_erlang_s_formula() -> None:
    # One in flight on average finds one place taken half the time, two places a fifth: 1/2 over 1 + 1 + 1/2.
    assert [places_for(1, share) for share in (0.51, 0.5, 0.49, 0.2, 0.19)] == [1, 1, 2, 2, 3]
    # Two in flight: 2/3, 2/5, 4/19, 2/21.
    assert [places_for(2, share) for share in (0.67, 0.4, 0.22, 0.096, 0.095)] == [1, 2, 3, 4, 5]
    assert places_for(0) == 1


def test_instances_follow_the_cpu_or_the_places_whichever_needs_more() -> None:
    # 30 photos a second of 20 ms are 0.6 cpus, which is what one instance is used to.
    assert instances_for(30, 0.02, 0.02, ONE) == 1
    assert instances_for(31, 0.02, 0.02, ONE) == 2
    # With two in flight on average, six places are all taken 1.2 % of the time, seven 0.3 %.
    assert instances_for(1, 2.0, 0.001, replace(ONE, concurrency=1)) == 7
    assert instances_for(1, 2.0, 0.001, ONE) == 1


def test_a_photo_alone_is_billed_its_own_time_rounded_up_and_a_busy_instance_is_shared() -> None:
    rarely = 1e-9
    assert billed_seconds(rarely, 0.12, 0.02, ONE) == pytest.approx(0.2)
    assert billed_seconds(rarely, 0.2, 0.02, ONE) == pytest.approx(0.2)
    assert billed_seconds(5, 0.12, 0.02, replace(ONE, concurrency=1)) == pytest.approx(0.2)
    # At 10 a second of 0.2 s each, someone is there 1 - e^-2 of the time: 0.865 s for 10 photos.
    assert billed_seconds(10, 0.12, 0.02, ONE) == pytest.approx((1 - math.exp(-2)) / 10)
    # At 1,000 a second the cpu, 60 % used, is what counts: 20 ms / 0.6; or the places: 0.6 s / (0.6 × 8).
    assert billed_seconds(1000, 0.12, 0.02, ONE) == pytest.approx(0.02 / 0.6)
    assert billed_seconds(1000, 0.6, 0.02, ONE) == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("cpu", "peak_mib", "gib"),
    [
        (1, 400, 0.5),
        (1, 461, 1),
        (1, 921, 1),
        (1, 922, 2),
        (1, 3700, None),
        (2, 3700, 8),
        (0.5, 900, 1),
        (0.5, 930, None),
    ],
)
def test_memory_is_the_least_that_stays_below_the_alert_and_that_the_cpu_may_have(
    cpu: float, peak_mib: float, gib: float | None
) -> None:
    assert memory_gib(replace(ONE, cpu=cpu, peak_mib=peak_mib)) == gib


def test_the_cost_of_a_month_over_https() -> None:
    # 1 MB at 80 Mbit/s arrives in 0.1 s; with 20 ms of cpu that is billed 0.2 s alone, (1 - e^-2) / 10 s shared.
    assert wait_seconds("http", PHOTOS[0], BUSY) == pytest.approx(0.1)
    found = option("http", ONE, BUSY, NOTHING_FREE)
    assert found
    images = 864_000 * 365 / 12
    billed = images * (1 - math.exp(-2)) / 10
    assert found.memory_gib == 1
    assert found.monthly["cpu"] == pytest.approx(billed * 0.01)
    assert found.monthly["memory"] == pytest.approx(billed * 0.001)
    assert found.monthly["requests"] == pytest.approx(images / 1e6)
    assert found.cost == pytest.approx(billed * 0.011 + images / 1e6)
    free = {**NOTHING_FREE, "request_free_cpu_seconds": 1e6, "request_free_gib_seconds": 1e12, "free_requests": 1e6}
    cheaper = option("http", ONE, BUSY, free)
    assert cheaper
    assert cheaper.cost == pytest.approx((billed - 1e6) * 0.01 + images / 1e6 - 1)


def test_an_upload_costs_two_requests_and_its_operations() -> None:
    found = option("upload", ONE, BUSY, NOTHING_FREE)
    assert found
    images = 864_000 * 365 / 12
    assert found.monthly["requests"] == pytest.approx(2 * images / 1e6)
    assert found.monthly["operations"] == pytest.approx(images / 1000 * 0.023)


def test_instances_are_kept_where_cold_starts_would_show() -> None:
    assert ONE.photo(1).p95_seconds == 0.1
    for share, latency_ms, kept in ((0.05, 2000, 0), (0.06, 2000, 1), (0.06, 2200, 0)):
        found = option("http", ONE, replace(BUSY, peak=1, cold_share=share, latency_ms=latency_ms), NOTHING_FREE)
        assert found
        assert found.min_instances == kept
        assert ("idle" in found.monthly) == bool(kept)
    # Twice the instances of another setting start twice as often.
    narrow = option("http", ONE, replace(BUSY, peak=40, cold_share=0.03), NOTHING_FREE, fewest=7)
    assert narrow
    assert (narrow.peak_instances, narrow.min_instances) == (14, 14)
    # Idle is what the month has left: 10 photos a second are there (1 - e^-2) of it.
    kept_one = option("http", ONE, replace(BUSY, peak=1, cold_share=0.06), NOTHING_FREE)
    assert kept_one
    idle = 730 * 3600 - 864_000 * 365 / 12 * (1 - math.exp(-2)) / 10
    assert kept_one.monthly["idle"] == pytest.approx(idle * 0.0022)


def test_the_cheapest_that_is_fast_enough_is_recommended_and_of_equals_the_one_with_most_places() -> None:
    wide = replace(ONE, concurrency=16, photos=tuple(replace(each, p95_seconds=0.9) for each in PHOTOS))
    large = replace(ONE, cpu=2)
    rare = replace(BUSY, images_per_day=100)
    assert [(each.cpu, each.concurrency) for each in options("http", [large, ONE, wide], rare, NOTHING_FREE)] == [
        (1, 16),
        (1, 8),
        (2, 8),
    ]
    hurried = options("http", [large, wide, ONE], replace(rare, latency_ms=500), NOTHING_FREE)
    assert [(each.cpu, each.concurrency, each.fast_enough) for each in hurried] == [
        (1, 8, True),
        (2, 8, True),
        (1, 16, False),
    ]
    assert not options("http", [wide, ONE], replace(rare, latency_ms=50), NOTHING_FREE)[0].fast_enough


def test_a_timeout_covers_the_slowest_that_was_measured_twice_and_the_waiting() -> None:
    # Twice a second of the platform, one of the start and 10 s: 24 s. 32 MiB at a quarter of 80 Mbit/s: 13.4 s.
    assert timeout_seconds("http", ONE, BUSY) == 60
    assert timeout_seconds("http", ONE, replace(BUSY, uplink_mbit=320)) == 30
    # Three calls of 28 s and 10 s of waiting: 118 s in all.
    assert timeout_seconds("upload", ONE, BUSY) == 120


def test_machines_and_jobs() -> None:
    # 30 photos a second of 20 ms at the peak are 0.6 cpus of 1.8; ten times as many want four machines of 730 hours.
    single = replace(ONE, concurrency=1)
    assert machines(single, BUSY, NOTHING_FREE) == pytest.approx((1, 73))
    assert machines(single, replace(BUSY, peak=30), NOTHING_FREE) == pytest.approx((4, 292))
    # A day's 864,000 take 19,200 s at 90 %, and a start; one photo a day still a minute.
    operations = 864 * 365 / 12 * 0.023
    assert job(single, BUSY, NOTHING_FREE) == pytest.approx(19_201 * 365 / 12 * 0.005 + operations)
    assert job(single, replace(BUSY, images_per_day=1), NOTHING_FREE) == pytest.approx(60 * 365 / 12 * 0.005, rel=0.01)


def test_instances_that_are_billed_all_month() -> None:
    # 10 photos a second of 20 ms are a third of what one instance is used to; 100 are 3.3 of it.
    assert always_on(ONE, BUSY, NOTHING_FREE) == pytest.approx(730 * 3600 * 0.005)
    assert always_on(ONE, replace(BUSY, images_per_day=8_640_000), NOTHING_FREE) == pytest.approx(
        4 * 730 * 3600 * 0.005
    )


def test_a_crossing_is_where_it_stays_cheaper() -> None:
    assert crossing(lambda needs: needs.images_per_day >= 5000, BUSY) == pytest.approx(5000, rel=0.1)
    assert crossing(lambda needs: not 1000 < needs.images_per_day < 5000, BUSY) == pytest.approx(5000, rel=0.1)
    assert crossing(lambda needs: needs.images_per_day < 5000, BUSY) is None


def test_what_is_assumed_of_the_function_is_so() -> None:
    settings = Settings()
    assert settings.max_image_bytes == model.MOST_BYTES == photos.MOST_BYTES
    assert settings.pixel_budget == photos.MOST_PIXELS
    assert WAIT_SECONDS == model.BUDGET_WAIT_SECONDS
    assert CALL_SECONDS < model.LONGEST_CALL_SECONDS
