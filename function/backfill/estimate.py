"""Estimate how long a job would take, from the seconds an image measured on this machine."""

import io
from datetime import timedelta
from time import perf_counter

from PIL import Image

from flowers.classifier import Classifier

from .job import Job
from .summary import Summary

# Processor time of one read and one write of google-cloud-storage.
_STORAGE_SECONDS = 0.0026
_PHOTOS = 10


def estimate(summary: Summary, job: Job, workers: int) -> str:
    """Return the expected time of the job with so many workers, one for each core, as text."""
    seconds = measured_seconds(job) + (0 if job.local else _STORAGE_SECONDS)
    return (
        f"{'to do':<38}{summary.to_do:>11,}   {summary.bytes_to_do / 1e6:,.0f} MB to read\n"
        f"about {timedelta(seconds=round(summary.to_do * seconds / workers))} with {workers} workers, at "
        f"{1000 * seconds:.1f} ms an image and core (measured here; large photos take longer)"
    )


def measured_seconds(job: Job) -> float:
    """Return the best time in which this machine classifies a photo of 640 × 480, in seconds."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((640, 480)).convert("RGB").save(file, "JPEG")
    classifier = Classifier(job.settings)
    times = []
    for _ in range(_PHOTOS):
        started = perf_counter()
        classifier.classify(file.getvalue())
        times.append(perf_counter() - started)
    return min(times)
