"""Summarize a job from Beam's counters, which are the same on this machine and on Dataflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apache_beam.metrics.metric import MetricsFilter
from apache_beam.runners.runner import PipelineResult

from flowers.results.result_objects import ResultState

from .listing import LONG_NAME, NO_IMAGE, TO_DO
from .pipeline import BYTES_TO_DO, COUNTERS, FOLDERS_LEFT, NOT_IDENTIFIED, REASON, SPECIES
from .worker import CLASSIFIED, INVALID, LEFT

_MAX_SPECIES = 20


@dataclass(frozen=True)
class Summary:
    """Hold the number of images by outcome, and the seconds that the job took."""

    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def of(cls, result: PipelineResult, seconds: float) -> "Summary":
        """Read the counters of a job that has ended."""
        counters = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))["counters"]
        counts: dict[str, int] = {}
        for counter in counters:
            # Repeated attempts count once, if the runner tells them apart.
            number = counter.attempted if counter.committed is None else counter.committed
            counts[counter.key.metric.name] = counts.get(counter.key.metric.name, 0) + number
        return cls(counts, seconds)

    def __getitem__(self, what: str) -> int:
        return self.counts.get(what, 0)

    @property
    def left(self) -> int:
        """Return the number of images and folders left to another run."""
        return self[LEFT] + self[FOLDERS_LEFT]

    @property
    def done(self) -> int:
        """Return the number of images that got a document in this run."""
        return self[CLASSIFIED] + self[INVALID]

    @property
    def species(self) -> list[tuple[str, int]]:
        """Return labels and how many images show them, most frequent first."""
        return sorted(self._named(SPECIES), key=lambda entry: (-entry[1], entry[0]))

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Return the reasons of error documents and their numbers, by name."""
        return sorted(self._named(REASON))

    def _named(self, kind: str) -> list[tuple[str, int]]:
        return [(name.removeprefix(kind), number) for name, number in self.counts.items() if name.startswith(kind)]

    def rows(self) -> list[tuple[str, int, str]]:
        """Return name, number and remark of each line of the table, without the species."""
        rate = f"{self.done / self.seconds:.1f} images a second" if self.done else ""
        lines = [
            ("classified", self[CLASSIFIED], rate),
            ("  of them not identified", self[NOT_IDENTIFIED], "below the model's threshold"),
            ("invalid", self[INVALID], "each has its error document"),
            *((f"  {reason}", number, "") for reason, number in self.reasons),
            ("done before", self[ResultState.REPEATED.value], "by this version of the model"),
            ("a newer result is there", self[ResultState.SUPERSEDED.value], ""),
            ("gone or changed meanwhile", self[ResultState.GONE.value], "changed ones are found by the next run"),
            ("another's file in the result's place", self[ResultState.FOREIGN.value], "left alone; see RESULT_SUFFIX"),
            ("name too long for a result", self[LONG_NAME], "rename them"),
            ("no images by their type", self[NO_IMAGE], "skipped unread"),
            ("left to do", self[LEFT], "a dependency was unavailable: run it again"),
            ("folders left to do", self[FOLDERS_LEFT], "they could not be listed: run it again"),
        ]
        return [line for line in lines if line[1] or line[0] == "classified"]

    def text(self) -> str:
        """Return the table for a terminal."""
        lines = [f"{name:<38}{number:>11,}   {remark}".rstrip() for name, number, remark in self.rows()]
        species = self.species
        if species:
            lines += ["", "species"]
            lines += [f"  {label:<36}{number:>11,}" for label, number in species[:_MAX_SPECIES]]
            if len(species) > _MAX_SPECIES:
                rest = species[_MAX_SPECIES:]
                lines.append(f"  {f'{len(rest)} others':<36}{sum(number for _, number in rest):>11,}")
        return "\n".join(lines)

    @property
    def to_do(self) -> int:
        """Return the number of images found to do."""
        return self[TO_DO]

    @property
    def bytes_to_do(self) -> int:
        """Return the bytes of the images found to do."""
        return self[BYTES_TO_DO]
