"""Test that the pixel budget bounds what is decoded at once, in the order of arrival."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowers.errors import InputError, UnavailableError
from flowers.imaging.crop import InputRule
from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from tests.support.drawn_flower import encode
from tests.support.pictures import draw_picture


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for at most five seconds."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.001)


class Holder:
    """Reserve pixels in a thread and hold them until `release`."""

    def __init__(self, budget: PixelBudget, pixels: int) -> None:
        self.holds = threading.Event()
        self.go = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(budget, pixels), daemon=True)
        self._thread.start()

    def _run(self, budget: PixelBudget, pixels: int) -> None:
        try:
            with budget.reserve(pixels):
                self.holds.set()
                self.go.wait(10)
        except UnavailableError as error:
            self.error = error

    def release(self) -> None:
        """Let the pixels go."""
        self.go.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


def test_reserved_pixels_never_exceed_the_total() -> None:
    budget = PixelBudget(1000, wait_seconds=30)
    lock = threading.Lock()
    in_flight, most, done = 0, 0, 0

    def work(seed: int) -> None:
        nonlocal in_flight, most, done
        chance = random.Random(seed)  # noqa: S311 - sizes, no secrets
        for _ in range(20):
            pixels = chance.choice([1, 10, 300, 700, 1000])
            with budget.reserve(pixels):
                with lock:
                    in_flight += pixels
                    most = max(most, in_flight)
                time.sleep(chance.random() / 2000)
                with lock:
                    in_flight -= pixels
                    done += 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))

    assert done == 320
    assert in_flight == 0
    assert 700 < most <= 1000


def test_small_pictures_share_the_budget() -> None:
    budget = PixelBudget(100)
    holders = [Holder(budget, 25) for _ in range(4)]
    for holder in holders:
        assert holder.holds.wait(5)
    fifth = Holder(budget, 1)
    assert not fifth.holds.wait(0.05)
    holders[2].release()
    assert fifth.holds.wait(5)
    for holder in (*holders, fifth):
        holder.release()


def test_large_picture_is_not_starved() -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 60)
    assert first.holds.wait(5)
    large = Holder(budget, 100)
    assert not large.holds.wait(0.05)
    later = Holder(budget, 10)  # would fit beside the first, but came after the large one

    assert not later.holds.wait(0.05)
    first.release()
    assert large.holds.wait(5)
    assert not later.holds.is_set()
    large.release()
    assert later.holds.wait(5)
    later.release()


def test_pictures_are_served_in_order_of_arrival() -> None:
    budget = PixelBudget(100)
    first = Holder(budget, 100)
    assert first.holds.wait(5)
    order: list[int] = []

    def wait_for_turn(number: int) -> None:
        with budget.reserve(60 + number):  # any two of them are too many
            order.append(number)

    threads = []
    for number in (3, 1, 4, 2, 0):
        thread = threading.Thread(target=wait_for_turn, args=(number,), daemon=True)
        thread.start()
        time.sleep(0.05)  # so that they arrive one after the other
        threads.append(thread)
    first.release()
    for thread in threads:
        thread.join(5)

    assert order == [3, 1, 4, 2, 0]


def test_picture_that_never_fits_is_too_large() -> None:
    budget = PixelBudget(100)
    with budget.reserve(100):
        started = time.monotonic()
        with pytest.raises(InputError, match="101") as caught, budget.reserve(101):
            pytest.fail("reserved more than there is")
        assert time.monotonic() - started < 1
    assert caught.value.reason == "IMAGE_TOO_LARGE"


def test_long_wait_is_unavailable() -> None:
    budget = PixelBudget(100, wait_seconds=0.05)
    with budget.reserve(60), pytest.raises(UnavailableError) as caught, budget.reserve(60):
        pytest.fail("reserved more than there is")
    assert (caught.value.reason, caught.value.code) == ("UNAVAILABLE", 503)
    assert caught.value.retry_after > 0
    with budget.reserve(100):
        pass


def test_picture_that_gives_up_makes_way() -> None:
    budget = PixelBudget(100, wait_seconds=1.2)
    first = Holder(budget, 60)
    assert first.holds.wait(5)
    large = Holder(budget, 100)
    time.sleep(0.8)
    small = Holder(budget, 10)

    until(lambda: large.error is not None)
    assert small.holds.wait(0.6)  # at once, not when it would give up itself
    assert not large.holds.is_set()
    first.release()
    small.release()


def test_pixels_are_released_after_an_error() -> None:
    budget = PixelBudget(100, wait_seconds=0.05)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.reserve(100):
            _ = 1 / 0
    with budget.reserve(100):
        pass


def test_pixels_are_released_after_undecodable_file() -> None:
    data = encode(draw_picture(), "PNG")
    budget = PixelBudget(160 * 120, wait_seconds=0.05)
    for _ in range(3):
        with pytest.raises(InputError, match="truncated or corrupt"):
            decode(data[: len(data) // 2], InputRule(32, 32), 100_000_000, budget)
    decode(data, InputRule(32, 32), 100_000_000, budget)


def least_budget(data: bytes) -> int:
    """Return the smallest budget that decodes the file."""
    low, high = 0, 2_000_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            decode(data, InputRule(100, 100), 100_000_000, PixelBudget(middle))
            high = middle
        except InputError as error:
            assert error.reason == "IMAGE_TOO_LARGE"
            low = middle
    return high


@pytest.mark.parametrize(
    ("format", "options", "pixels"),
    [
        pytest.param("JPEG", {}, 200 * 150, id="baseline-at-an-eighth"),
        pytest.param("JPEG", {"progressive": True}, 1600 * 1200, id="progressive-whole"),
        pytest.param("PNG", {}, 1600 * 1200, id="png-whole"),
    ],
)
def test_picture_counts_with_what_decoding_holds(format: str, options: dict[str, bool], pixels: int) -> None:
    data = encode(draw_picture().resize((1600, 1200)), format, **options)
    assert least_budget(data) == pixels


def test_long_wait_does_not_blame_the_image() -> None:
    budget = PixelBudget(160 * 120, wait_seconds=0.05)
    with budget.reserve(1), pytest.raises(UnavailableError):
        decode(encode(draw_picture(), "PNG"), InputRule(32, 32), 100_000_000, budget)
