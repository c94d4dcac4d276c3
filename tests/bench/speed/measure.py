"""Measure by turns, so that whatever else the machine does affects all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.model.session import Model
from flowers.settings import Settings
from tests.support.server_process import ServerProcess, free_port

from .client import Caller, first_answer, species
from .contenders import BUILD, Contender

WARM_UP = 20
_SETTINGS = Settings()


class Running(NamedTuple):
    """Hold a server that answers, and its port."""

    port: int
    server: ServerProcess


def by_turns(measures: Mapping[str, Callable[[], float]], rounds: int, task: str) -> dict[str, float]:
    """Return the median of each measure, taken `rounds` times in turn."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    with tqdm(total=rounds * len(measures), desc=task, mininterval=1, leave=False) as bar:
        for _ in range(rounds):
            for name, measure in measures.items():
                values[name].append(measure())
                bar.update()
    return {name: statistics.median(found) for name, found in values.items()}


def seconds_of(action: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


class InProcess:
    """Decode, resize and run the model with nothing around: the least that a call costs."""

    def __init__(self) -> None:
        self.served, self.unquantized = Model.load(_SETTINGS.model_path), Model.load(BUILD / "float.onnx")
        self._budget = PixelBudget(_SETTINGS.pixel_budget)

    def pixels(self, photo: bytes) -> NDArray[np.uint8]:
        """Return a photo as the model sees it, uint8 [1, 224, 224, 3]."""
        rule = self.served.card.input_rule
        return decode(photo, rule, _SETTINGS.max_image_pixels, self._budget).pixels[np.newaxis]

    def classify(self, photo: bytes) -> str:
        """Return the likeliest species."""
        return self.served.card.labels[int(self.served.run(self.pixels(photo)).logits.argmax())]


class Servers(ExitStack):
    """Run servers side by side, warmed up, all agreeing on the species of the photos."""

    def __init__(self, photos: Sequence[bytes]) -> None:
        super().__init__()
        self._photos, self._expected = photos, [InProcess().classify(photo) for photo in photos]

    def start(self, contender: Contender) -> Running:
        """Start a server, wait for its first answer and warm it up.

        Raise `SystemExit` if it names another species than the function's own code: it would not do the same work.
        """
        port = free_port()
        server = self.enter_context(contender.start(port))
        try:
            first_answer(port, self._photos[0])
            caller = Caller(port)
            named = [species(caller.post(photo)) for photo in self._photos]
            for turn in range(WARM_UP):
                caller.post(self._photos[turn % len(self._photos)])
            caller.close()
        except OSError as error:
            raise SystemExit(f"{contender.name} does not answer: {error}\n{server.log}") from error
        check_agreement(contender, named, self._expected)
        return Running(port, server)


def check_agreement(contender: Contender, named: Sequence[str], expected: Sequence[str]) -> None:
    """Raise `SystemExit` if a contender's species are not those expected."""
    if differing := [f"{one} for {other}" for one, other in zip(named, expected, strict=True) if one != other]:
        raise SystemExit(f"cannot compare with {contender.name}: it names {', '.join(differing)}")
