"""Test each fault in each kind of call between function and bucket, and the retries of Eventarc.

A real server with short timeouts (`impatient_main`) is behind a proxy that fails on demand. All cases run at once.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from google.cloud import storage

from tests.support.emulated_cloud import EmulatedStorage
from tests.support.fault_proxy import Call, Fault, FaultProxy
from tests.support.upload_server import IMPATIENT_MAIN, acknowledged, check_result, photo, serving
from tests.support.uploads import names, put

# JSON has no checksum: a flipped bit in it may mean anything, and is for TLS to find.
CASES = [
    (call, fault)
    for fault in Fault
    for call in Call
    if call is Call.READ or fault not in (Fault.FLIPPED_BIT, Fault.FLIPPED_BIT_AND_RESET)
]
IDS = [f"{call.value}-{fault.name}" for call, fault in CASES]
HOW = ("once", "lasting")
# What a client must not take for an answer to be had by asking again at once; it is left to the next event.
NOT_RETRIED = (Fault.FORBIDDEN, Fault.CUT_SHORT, Fault.FLIPPED_BIT)
# A call is tried for 3 seconds and once more for 1.5 until it times out; the rest is for a busy machine.
BOUND_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """Hold the outcome of an image whose calls met a fault."""

    image: storage.Blob
    data: bytes
    statuses: list[int]
    first_seconds: float
    writes: list[int]


@pytest.fixture(scope="module")
def garden(storage_server: EmulatedStorage) -> storage.Bucket:
    """Return a bucket for all images of this module."""
    return storage.Client().create_bucket("garden-of-faults")


@pytest.fixture(scope="module")
def outcomes(
    garden: storage.Bucket, storage_server: EmulatedStorage, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """Return outcomes by the image's name: `CASE-once.jpg`, and `CASE-lasting.jpg` until its event was refused.

    The lasting ones replace an image that has its result already, the others are the first of their name.
    """
    cases = [(f"{name}-{how}.jpg", *case) for name, case in zip(IDS, CASES, strict=True) for how in HOW]
    with (
        FaultProxy(storage_server.url) as proxy,
        serving(tmp_path_factory.mktemp("faults"), proxy.url, IMPATIENT_MAIN, THREADS="32") as server,
        ThreadPoolExecutor(16) as threads,
    ):

        def meet(number: int, name: str, call: Call, fault: Fault) -> Outcome:
            if "lasting" in name:
                server.deliver(put(garden, name, photo(1000 + number)))
            data = photo(number, width=800)
            image = put(garden, name, data)
            proxy.fail(name, call, fault, 1 if "once" in name else None)
            refused: list[float] = []

            def heal() -> None:
                refused.append(time.monotonic())
                proxy.heal(name)

            started = time.monotonic()
            statuses = server.deliver(image, heal)
            first = (refused or [time.monotonic()])[0] - started
            writes = [write.source_generation for write in proxy.written(name)]
            return Outcome(image, data, statuses, first, writes)

        met = [threads.submit(meet, number, *case) for number, case in enumerate(cases)]
        found = {name: future.result() for (name, *_), future in zip(cases, met, strict=True)}
    _print_table(found)
    return found


def _print_table(outcomes: dict[str, Outcome]) -> None:
    print("\n| fault | call | once | lasting until the event is refused |\n|---|---|---|---|")
    for (call, fault), name in zip(CASES, IDS, strict=True):
        once, lasting = (outcomes[f"{name}-{how}.jpg"] for how in HOW)
        told = [
            f"{'; then '.join(str(status) for status in outcome.statuses)} ({outcome.first_seconds:.1f} s)"
            for outcome in (once, lasting)
        ]
        print(f"| {fault.value} | {call.value} | {told[0]} | {told[1]} |")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", IDS)
def test_redelivery_after_fault_leaves_one_result(outcomes: dict[str, Outcome], name: str, how: str) -> None:
    outcome = outcomes[f"{name}-{how}.jpg"]
    check_result(outcome.image, outcome.data)
    assert outcome.writes == sorted(set(outcome.writes))
    assert outcome.writes[-1] == outcome.image.generation
    assert len(outcome.writes) == 1 + (how == "lasting")


@pytest.mark.parametrize("name", IDS)
def test_lasting_fault_fails_event_soon(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[f"{name}-lasting.jpg"]
    assert not acknowledged(outcome.statuses[0])
    assert acknowledged(outcome.statuses[1])
    assert outcome.first_seconds < BOUND_SECONDS


@pytest.mark.parametrize(
    "name", [name for name, (_, fault) in zip(IDS, CASES, strict=True) if fault not in NOT_RETRIED]
)
def test_passing_fault_needs_no_second_event(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[f"{name}-once.jpg"].statuses == [200]


def test_bucket_has_nothing_else(outcomes: dict[str, Outcome], garden: storage.Bucket) -> None:
    assert names(garden) == sorted([*outcomes, *(f"{name}.json" for name in outcomes)])
