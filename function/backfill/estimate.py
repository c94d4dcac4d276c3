"""What a job would take: seconds an image measured on this machine, and list prices."""

import io
from datetime import timedelta
from time import perf_counter

from PIL import Image

from flowers.classifier import Classifier

from .job import Job
from .summary import Summary

# Processor time of one read and one write of google-cloud-storage 3.17 (1.25 and 1.31 ms, the machine of README).
_STORAGE_SECONDS = 0.0026
_PHOTOS = 10
# List prices in US dollars, Iowa (2025): cloud.google.com/storage/pricing, cloud.google.com/dataflow/pricing.
_WRITES, _READS = 0.005 / 1000, 0.0004 / 1000
_PAGE = 1000  # objects in an answer to a listing, which costs as much as a write
_VCPU_HOUR, _GB_HOUR, _GB_SHUFFLED = 0.056, 0.003557, 0.011
_GB_PER_VCPU = 3.75  # of an n1-standard machine, Dataflow's default
_SHUFFLED_BYTES = 200  # a task, as it is written and read


def estimate(summary: Summary, job: Job, workers: int, on_dataflow: bool) -> str:
    """How long what is to do would take with so many workers (each a process and a core), and what it would cost."""
    seconds = measured_seconds(job) + (0 if job.local else _STORAGE_SECONDS)
    work = summary.to_do * seconds
    lines = [
        f"{'to do':<38}{summary.to_do:>11,}   {summary.bytes_to_do / 1e6:,.0f} MB to read",
        f"about {timedelta(seconds=round(work / workers))} with {workers} workers, at {1000 * seconds:.1f} ms an image "
        "and core (measured here; large photos take longer)",
    ]
    if not job.local:
        listed = 2 * sum(summary.counts.values()) / _PAGE
        operations = summary.to_do * (_READS + _WRITES) + listed * _WRITES
        lines.append(f"about ${operations:,.2f} for the bucket's operations")
    if on_dataflow:
        machines = work / 3600 * (_VCPU_HOUR + _GB_PER_VCPU * _GB_HOUR)
        shuffle = summary.to_do * _SHUFFLED_BYTES / 1e9 * _GB_SHUFFLED
        lines.append(f"about ${machines + shuffle:,.2f} for Dataflow, however many workers share it")
    return "\n".join(lines)


def measured_seconds(job: Job) -> float:
    """The best time in which this machine classifies a photo of 640 × 480, seconds."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((640, 480)).convert("RGB").save(file, "JPEG")
    classifier = Classifier(job.settings)
    times = []
    for _ in range(_PHOTOS):
        started = perf_counter()
        classifier.classify(file.getvalue())
        times.append(perf_counter() - started)
    return min(times)
