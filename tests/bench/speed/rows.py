"""Measure the rows of the table, in groups that can run alone: what is compared, how, and within which bounds."""

import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial

from flowers.model.session import Model
from tests.bench.local_server import PeakMemory, memory_mib
from tests.bench.photos import large_photos, small_photos

from .client import Caller, Start, cold_start, species, throughput
from .contenders import (
    BARE,
    BENTOML,
    FASTAPI,
    HELLO,
    LITERT,
    LITSERVE,
    OURS,
    OURS_PER_CORE,
    PLAIN,
    TENSORFLOW,
    Contender,
)
from .instance import as_deployed, empty_page_cache
from .measure import InProcess, Servers, by_turns, check_agreement, seconds_of
from .row import Row

CLIENTS = 8
IN_PROCESS = "in process"
MB_PER_MIB = 2**20 / 1e6


def _starts(contenders: Sequence[Contender], rounds: int, empty_cache: bool) -> dict[str, list[float]]:
    """Return each contender's median start in milliseconds and megabytes read, from the state of a new instance."""
    photo = small_photos(1)[0]
    expected = [InProcess().classify(photo)]
    found: dict[str, list[Start]] = {contender.name: [] for contender in contenders}

    def start(contender: Contender) -> None:
        if empty_cache:
            empty_page_cache()
        begun = cold_start(contender, photo)
        if contender.name != HELLO.name:
            check_agreement(contender, [species(begun.answer)], expected)
        found[contender.name].append(begun)

    deployed = [as_deployed(contender) for contender in contenders]
    for _ in range(1 + rounds):
        for contender in deployed:
            start(contender)
    # The first start writes missing bytecode and brings the files into memory.
    return {
        name: [
            statistics.median(begun.seconds for begun in starts[1:]) * 1000,
            statistics.median(begun.read_bytes for begun in starts[1:]) / 1e6,
        ]
        for name, starts in found.items()
    }


def cold() -> list[Row]:
    """Measure from a process's start to its first answer, with all files in memory. TensorFlow takes fewer turns."""
    starts = _starts((HELLO, OURS, LITERT), 7, False) | _starts((TENSORFLOW,), 3, False)
    found = {name: milliseconds for name, (milliseconds, _) in starts.items()}
    hello, ours, litert, slow = found.values()
    return [
        Row("cold start, of an empty function's", ours / hello, _of(found, OURS, HELLO), "ms", max_value=1.5),
        Row("cold start, faster than TensorFlow's", slow / ours, _of(found, OURS, TENSORFLOW), "ms", min_value=12),
        Row("cold start, faster than LiteRT's", litert / ours, _of(found, OURS, LITERT), "ms", min_value=1),
    ]


def empty_cache() -> list[Row]:
    """Measure the same with no file in memory, as on a new machine. Return no rows without root."""
    try:
        empty_page_cache()
    except OSError as error:
        print(f"left out: starts from an empty page cache need root ({error})", file=sys.stderr)
        return []
    starts = _starts((HELLO, OURS), 5, True)
    seconds, read = ({name: found[at] for name, found in starts.items()} for at in (0, 1))
    what, ratio = "start from an empty page cache, ", seconds[OURS.name] / seconds[HELLO.name]
    return [
        Row(f"{what}of an empty function's", ratio, seconds, "ms", max_value=1.7),
        Row(f"{what}MB read", read[OURS.name], read, "MB"),
    ]


def latency() -> list[Row]:
    """Measure a photo of 667 px from one client: over HTTP, and in process."""
    photos, here = small_photos(), InProcess()
    with Servers(photos) as servers:
        caller = Caller(servers.start(OURS).port)
        measures = {OURS.name: partial(_each, photos, caller.post), IN_PROCESS: partial(_each, photos, here.classify)}
        found = by_turns(measures, 15, "warm latency")
    http, inside = found.values()
    return [Row("warm latency over HTTP, of that in process", http / inside, found, "ms", max_value=1.4)]


def large() -> list[Row]:
    """Measure a photo of 12 megapixels from one client."""
    photos = large_photos()
    with Servers(photos) as servers:
        callers = {contender.name: Caller(servers.start(contender).port) for contender in (OURS, PLAIN)}
        measures = {name: partial(_each, photos, caller.post) for name, caller in callers.items()}
        found = by_turns(measures, 7, "12 megapixels")
    ours, plain = found.values()
    return [Row("12 megapixels, faster than decoded whole and in float", plain / ours, found, "ms", min_value=4)]


def load() -> list[Row]:
    """Measure photos of 667 px from eight clients. Servers and clients share two cores."""
    photos, here = small_photos(), InProcess()
    peers = (LITSERVE, BENTOML, FASTAPI)
    with Servers(photos) as servers:
        ports = {contender.name: servers.start(contender).port for contender in (OURS_PER_CORE, BARE, *peers)}
        measures = {name: partial(throughput, port, photos, CLIENTS, 4) for name, port in ports.items()}
        found = by_turns({IN_PROCESS: lambda: 1000 / _each(photos * 20, here.classify), **measures}, 3, "throughput")
    core, ours, bare = found[IN_PROCESS], found[OURS.name], found[BARE.name]
    of_core = "throughput on two cores, of one core's in process"
    return [
        Row(of_core, ours / core, {OURS.name: ours, "one core in process": core}, "/s", min_value=1.7),
        Row("the same for a function that only decodes and runs the model", bare / core, {BARE.name: bare}, "/s"),
        *(
            Row(f"throughput, of {peer.name}'s", ours / found[peer.name], _of(found, OURS, peer), "/s", min_value=1.8)
            for peer in peers
        ),
    ]


def int8() -> list[Row]:
    """Measure `session.run` of one photo on one thread, twenty times a turn."""
    here = InProcess()
    pixels = here.pixels(small_photos()[0])

    def run(model: Model) -> float:
        return _each([b""] * 20, lambda _: model.run(pixels))

    found = by_turns({"int8": partial(run, here.served), "float": partial(run, here.unquantized)}, 15, "int8, float")
    return [Row("int8, faster than float", found["float"] / found["int8"], found, "ms", min_value=1.8)]


def resident() -> list[Row]:
    """Measure the server's memory after some photos, and its peak while eight clients send 12 megapixels."""
    photos = large_photos()
    with Servers(small_photos()) as servers:
        port, server = servers.start(OURS)
        rest = memory_mib(server.processes()) * MB_PER_MIB
        with PeakMemory(server.processes()) as memory:
            throughput(port, photos, CLIENTS, 15)
    peak = memory.mib * MB_PER_MIB
    return [
        Row("memory at rest, MB", rest, {OURS.name: rest}, "MB", max_value=170),
        Row("memory under 8 clients with 12 megapixels, MB", peak, {OURS.name: peak}, "MB", max_value=300),
    ]


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "cold": cold,
    "empty-cache": empty_cache,
    "latency": latency,
    "large": large,
    "throughput": load,
    "int8": int8,
    "memory": resident,
}


def _each(photos: Sequence[bytes], action: Callable[[bytes], object]) -> float:
    """Return the median milliseconds of an action on each of the photos."""
    return statistics.median(seconds_of(partial(action, photo)) for photo in photos) * 1000


def _of(found: dict[str, float], *contenders: Contender) -> dict[str, float]:
    return {contender.name: found[contender.name] for contender in contenders}
