"""Run `python -m export collect`: fetch photos for a review, or turn its decisions into a training folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ExportError
from ..serving import Settings, SettingsError
from .archive import open_archive
from .collect import collect
from .decisions import read_decisions
from .photo import known_names
from .training_folder import check_own, write_training_folder

LEAST_SURE = 200


@dataclass(frozen=True)
class CollectOptions:
    """Say where the photos are, or what was decided about them, and which folder gets them.

    Either `archive` is given, an address or a folder, or `decisions`, a file. `least_sure` is the number of photos
    without a correction.
    """

    out: Path
    archive: str | None = None
    decisions: Path | None = None
    least_sure: int = LEAST_SURE


def run(options: CollectOptions) -> None:
    """Collect photos, or write the training folder. Raise `ExportError`."""
    if options.decisions:
        _write(options.out, options.decisions)
    elif options.archive:
        _collect(options.out, options.archive, options.least_sure)


def _collect(out: Path, archive: str, least_sure: int) -> None:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        raise ExportError(str(error)) from error
    check_own(out)
    done = collect(open_archive(archive, settings.result_suffix), out, least_sure, settings)
    if done.unusable:
        print(f"{done.unusable} photos could not be used: they are gone or no image.")
    print(f"{done.photos} photos to review, {done.corrected} of them corrected; {done.copied} copied now.")
    print(f"Open {done.page} in a browser. Then: python -m export collect --decisions decisions.json --out {out}")


def _write(out: Path, file: Path) -> None:
    written = write_training_folder(out, read_decisions(file))
    print(
        f"{written.labels.total()} photos of {len(written.labels)} kinds, {written.others} of no kind; "
        f"{written.discarded} discarded, {written.undecided} undecided."
    )
    new = sorted(written.labels.keys() - set(known_names([]).values()))
    for label in new:
        print(f"{label!r} is not in the catalogue: training adds it as a new kind ({written.labels[label]} photos).")
    print(f"wrote {out}. Next: python -m export train --data … {out}")
