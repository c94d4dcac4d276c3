"""The rows of the table, in groups that can be measured alone: what is compared, how, and within which bound."""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from flowers.model.session import Model

from .client import Caller, cold_start, species, throughput
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
from .measure import InProcess, Row, Servers, by_turns, check_agreement, memory, seconds_of
from .photos import large_photos, small_photos

CLIENTS = 8
IN_PROCESS = "in process"


def cold() -> list[Row]:
    """From the start of the process to its first answer. TensorFlow takes seconds, so it takes fewer turns."""
    photo = small_photos()[0]
    expected = [InProcess().classify(photo)]

    def start(contender: Contender) -> float:
        seconds, answer = cold_start(contender, photo)
        if contender is not HELLO:
            check_agreement(contender, [species(answer)], expected)
        return seconds * 1000

    quick = {contender.name: partial(start, contender) for contender in (HELLO, OURS, LITERT)}
    slow = {TENSORFLOW.name: partial(start, TENSORFLOW)}
    for measure in {**quick, **slow}.values():
        measure()  # the first start compiles modules and brings files into memory
    found = by_turns(quick, 15, "cold start") | by_turns(slow, 5, "cold start of TensorFlow")
    hello, ours, litert, tensorflow = found.values()
    return [
        Row("cold start, of an empty hello function's", ours / hello, _of(found, OURS, HELLO), "ms", most=1.7),
        Row("cold start, faster than TensorFlow's", tensorflow / ours, _of(found, OURS, TENSORFLOW), "ms", least=12),
        Row("cold start, faster than LiteRT's", litert / ours, _of(found, OURS, LITERT), "ms", least=1),
    ]


def latency() -> list[Row]:
    """A 500 px photo from one client: over HTTP, and in process."""
    photos, here = small_photos(), InProcess()
    with Servers(photos) as servers:
        caller = Caller(servers.start(OURS).port)
        measures = {OURS.name: partial(_each, photos, caller.post), IN_PROCESS: partial(_each, photos, here.classify)}
        found = by_turns(measures, 30, "warm latency")
    http, inside = found.values()
    return [Row("warm latency over HTTP, of that in process", http / inside, found, "ms", most=1.4)]


def large() -> list[Row]:
    """A 12-megapixel photo from one client."""
    photos = large_photos()
    with Servers(photos) as servers:
        callers = {contender.name: Caller(servers.start(contender).port) for contender in (OURS, PLAIN)}
        measures = {name: partial(_each, photos, caller.post) for name, caller in callers.items()}
        found = by_turns(measures, 10, "12 megapixels")
    ours, plain = found.values()
    return [Row("12 megapixels, faster than decoded whole and in float", plain / ours, found, "ms", least=4)]


def load() -> list[Row]:
    """Photos of 500 px from eight clients; servers and clients share two cores."""
    photos, here = small_photos(), InProcess()
    peers = (LITSERVE, BENTOML, FASTAPI)
    with Servers(photos) as servers:
        ports = {contender.name: servers.start(contender).port for contender in (OURS_PER_CORE, BARE, *peers)}
        measures = {name: partial(throughput, port, photos, CLIENTS, 4) for name, port in ports.items()}
        found = by_turns({IN_PROCESS: lambda: 1000 / _each(photos * 20, here.classify), **measures}, 7, "throughput")
    core, ours, bare = found[IN_PROCESS], found[OURS.name], found[BARE.name]
    of_core = "throughput on two cores, of one core's in process"
    return [
        Row(of_core, ours / core, {OURS.name: ours, "one core in process": core}, "/s", least=1.7),
        Row("the same of a function that only decodes and runs the model", bare / core, {BARE.name: bare}, "/s"),
        *(
            Row(f"throughput, of {peer.name}'s", ours / found[peer.name], _of(found, OURS, peer), "/s", least=1.8)
            for peer in peers
        ),
    ]


def int8() -> list[Row]:
    """`session.run` of one photo on one thread, twenty times a turn, as in a server that has one model."""
    here = InProcess()
    pixels = here.pixels(small_photos()[0])

    def run(model: Model) -> float:
        return _each([b""] * 20, lambda _: model.run(pixels))

    found = by_turns({"int8": partial(run, here.served), "float": partial(run, here.unquantized)}, 30, "int8, float")
    return [Row("int8, faster than float", found["float"] / found["int8"], found, "ms", least=1.8)]


def resident() -> list[Row]:
    """What the server's processes hold after some photos, and at most while eight clients send 12 megapixels."""
    photos = large_photos()
    with Servers(small_photos()) as servers:
        port, server = servers.start(OURS)
        rest = peak = memory(server.processes())
        caller = threading.Thread(target=throughput, args=(port, photos, CLIENTS, 15))
        caller.start()
        while caller.is_alive():
            peak = max(peak, memory(server.processes()))
            time.sleep(0.05)
    return [
        Row("memory at rest, MB", rest, {OURS.name: rest}, "MB", most=170),
        Row("memory under 8 clients with 12 megapixels, MB", peak, {OURS.name: peak}, "MB", most=300),
    ]


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "cold": cold,
    "latency": latency,
    "large": large,
    "throughput": load,
    "int8": int8,
    "memory": resident,
}


def _each(photos: Sequence[bytes], action: Callable[[bytes], object]) -> float:
    """The median milliseconds of an action on each of the photos."""
    return statistics.median(seconds_of(partial(action, photo)) for photo in photos) * 1000


def _of(found: dict[str, float], *contenders: Contender) -> dict[str, float]:
    return {contender.name: found[contender.name] for contender in contenders}
