"""How things are measured: by turns, so that whatever else the machine does falls on all of them alike."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[3] / "function"))

from flowers.imaging.decode import decode
from flowers.imaging.memory import PixelBudget
from flowers.model.session import Model
from flowers.settings import Settings
from tests.support.server_process import ServerProcess, free_port

from .client import Caller, first_answer, species
from .contenders import FORMS, Contender

WARM_UP = 20
_SETTINGS = Settings()


class Row(NamedTuple):
    """A line of the table: a ratio (×) or megabytes, its bound, and the figures that it was made of, in `unit`."""

    what: str
    value: float
    figures: Mapping[str, float]
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the bound holds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


class Running(NamedTuple):
    """A server that answers, and where."""

    port: int
    server: ServerProcess


def by_turns(measures: Mapping[str, Callable[[], float]], rounds: int, task: str) -> dict[str, float]:
    """The median of each measure, `rounds` of each, taking turns."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    with tqdm(total=rounds * len(measures), desc=task, mininterval=1, leave=False) as bar:
        for _ in range(rounds):
            for name, measure in measures.items():
                values[name].append(measure())
                bar.update()
    return {name: statistics.median(found) for name, found in values.items()}


def seconds_of(action: Callable[[], object]) -> float:
    """What a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


class InProcess:
    """Decode, resize and `session.run` with nothing around: what a call costs at least."""

    def __init__(self) -> None:
        self.served, self.unquantized = Model.load(_SETTINGS.model_path), Model.load(FORMS / "float.onnx")
        self._budget = PixelBudget(_SETTINGS.pixel_budget)

    def pixels(self, photo: bytes) -> NDArray[np.uint8]:
        """A photo as the model sees it, uint8 [1, 224, 224, 3]."""
        rule = self.served.card.input_rule
        return decode(photo, rule, _SETTINGS.max_image_pixels, self._budget).pixels[np.newaxis]

    def classify(self, photo: bytes) -> str:
        """The likeliest species."""
        return self.served.card.labels[int(self.served.run(self.pixels(photo)).logits.argmax())]


class Servers(ExitStack):
    """Servers that run side by side, warmed, and agreed on the species of the photos."""

    def __init__(self, photos: Sequence[bytes]) -> None:
        super().__init__()
        self._photos, self._expected = photos, [InProcess().classify(photo) for photo in photos]

    def start(self, contender: Contender) -> Running:
        """Starts a server, waits for its first answer and warms it.

        Raises `SystemExit` where it names another species than the function's own code: it would not do the same work.
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
            raise SystemExit(f"{contender.name} does not answer ({error}):\n{server.log}") from error
        check_agreement(contender, named, self._expected)
        return Running(port, server)


def check_agreement(contender: Contender, named: Sequence[str], expected: Sequence[str]) -> None:
    """Raises `SystemExit` where a contender's species are not those expected."""
    if differing := [f"{one} for {other}" for one, other in zip(named, expected, strict=True) if one != other]:
        raise SystemExit(f"the comparison with {contender.name} is void, it names {', '.join(differing)}")


def memory(processes: Sequence[int]) -> float:
    """Megabytes (10⁶ bytes) of memory that processes hold, pages they share counted once (PSS)."""
    kilobytes = 0
    for process in processes:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        kilobytes += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e6
