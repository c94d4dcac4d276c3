"""Call the servers with plain sockets: the caller shares the CPU with them."""

import json
import socket
import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

from tests.support.server_process import free_port

from .contenders import Contender
from .instance import read_bytes

START_SECONDS = 120.0


class Caller:
    """Hold a keep-alive connection to a server on this machine, for one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def post(self, photo: bytes) -> bytes:
        """Return the body of the answer to a photo.

        Raise `OSError` without a server and `ValueError` for any status but 200.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=START_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: image/jpeg\r\nContent-Length: {len(photo)}\r\n\r\n"
        # In one call: otherwise the server wakes up for the head alone.
        sent = self._socket.sendmsg([head.encode(), photo])
        assert sent >= len(head)
        self._socket.sendall(memoryview(photo)[sent - len(head) :])
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        status, *lines = (answer_head := received.partition(b"\r\n\r\n"))[0].decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = answer_head[2]
        while len(body) < int(headers["content-length"]):
            body += self._more()
        if headers.get("connection", "").lower() == "close":
            self.close()
        if status.split()[1] != "200":
            raise ValueError(f"{status}: {body.decode(errors='replace')}")
        return body

    def _more(self) -> bytes:
        assert self._socket is not None
        if not (received := self._socket.recv(65536)):
            raise ConnectionError("the server closed the connection")
        return received

    def close(self) -> None:
        """Close the connection. The next photo opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def species(answer: bytes) -> str:
    """Return the likeliest species in the answer of this function or of a peer."""
    document: dict[str, Any] = json.loads(answer)
    return str(
        document["species"]
        if "confidence" in document and "schema" not in document
        else document["predictions"][0]["label"]
    )


def first_answer(port: int, photo: bytes) -> bytes:
    """Ask until the server that was just started answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        caller = Caller(port)
        try:
            return caller.post(photo)
        except (ConnectionError, ValueError):  # LitServe listens before it is ready
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        finally:
            caller.close()


class Start(NamedTuple):
    """Hold a cold start: seconds from the process's start to its first answer, that answer, and what it read."""

    seconds: float
    answer: bytes
    read_bytes: int


def cold_start(contender: Contender, photo: bytes) -> Start:
    """Start a server, wait for its first answer and stop it."""
    port = free_port()
    started = time.perf_counter()
    with contender.start(port) as server:
        answer = first_answer(port, photo)
        seconds = time.perf_counter() - started
        return Start(seconds, answer, read_bytes(server.processes()))


def throughput(port: int, photos: Sequence[bytes], clients: int, seconds: float) -> float:
    """Return the answers per second to `clients` that each send a photo when they have the last answer."""
    counts = [0] * clients
    failures: list[Exception] = []
    started = time.perf_counter()

    def call(client: int) -> None:
        caller = Caller(port)
        try:
            for photo in islice(cycle(photos), client, None):
                if time.perf_counter() - started > seconds:
                    return
                caller.post(photo)
                counts[client] += 1
        except Exception as error:
            failures.append(error)
        finally:
            caller.close()

    threads = [threading.Thread(target=call, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - started)
