"""Run a command and print its summary."""

import logging
import os
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from flowers.classifier import Classifier
from flowers.cloud.objects import ObjectMissingError
from flowers.errors import FlowersError
from flowers.model.file import ModelError
from flowers.settings import SettingsError

from .bigquery import write_rows
from .command_line import Command
from .estimate import estimate
from .job import ConfigurationError, Job
from .pipeline import classify, list_tasks
from .progress import ProgressBar
from .quality import count_quality
from .report import page_of_kinds, read_samples, write_page, write_page_of_kinds, write_samples
from .sidecars import write_sidecars
from .summary import Summary
from .table import write_table

# It repeats all that workers log; the summary has their failures.
logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(logging.ERROR)

_FUNCTION = Path(__file__).parents[1]


class JobEndedError(Exception):
    """Report a job that ended early. The message says what to do."""


def run(command: Command) -> int:
    """Run the command, print the summary, and return the exit status.

    Raise `ConfigurationError` and `JobEndedError`.
    """
    started = time.monotonic()
    command = replace(command, job=replace(command.job, model_version=_model_version(command.job)))
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        pipeline = _pipeline(command)
        _check_place(command.job)
        cloud = command.beam.view_as(GoogleCloudOptions)
        if command.on_dataflow:
            samples = f"{cloud.temp_location}/backfill-{uuid.uuid4().hex}.jsonl"
            result = _run(pipeline, command, command.job, samples)
        else:
            # The processes of the workers have to find this code.
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_FUNCTION), os.environ.get("PYTHONPATH")]))
            samples = f"{folder}/samples.jsonl"
            with ProgressBar(Path(folder)):
                result = _run(pipeline, command, replace(command.job, progress=Path(folder)), samples)
        if cloud.template_location:
            print(f"The job is a template now: {cloud.template_location}")
            return 0
        summary = Summary.of(result, time.monotonic() - started)
        if command.report and not command.dry_run:
            entries = read_samples(samples)
            write_page(command.report, summary, entries, command.job)
            write_page_of_kinds(page_of_kinds(command.report), summary, entries, command.job)
    print(summary.text())
    if not command.dry_run:
        _write_for_people(command)
    if command.dry_run:
        print(estimate(summary, command.job, _workers(command)))
    if command.report and not command.dry_run:
        print(f"\nreport: {command.report}, by kind: {page_of_kinds(command.report)}")
    return 1 if summary.left else 0


def _model_version(job: Job) -> str:
    """Load the model to learn its version. Raise `ConfigurationError` if it cannot be served with the settings."""
    try:
        return Classifier(job.settings).identity["version"]
    except (SettingsError, ModelError) as error:
        raise ConfigurationError(str(error)) from error


def _write_for_people(command: Command) -> None:
    """Write the table and the sidecars of a folder, if asked for."""
    if command.csv:
        print(f"\ntable: {command.csv}, {write_table(command.csv, command.job):,} rows")
    if command.xmp:
        written, left = write_sidecars(command.job)
        print(f"\nsidecars: {written:,} written, {left:,} by other programs left alone")


def _workers(command: Command) -> int:
    if command.on_dataflow:
        options = command.beam.view_as(WorkerOptions)
        return int(options.max_num_workers or options.num_workers or 1)
    return int(command.beam.view_as(DirectOptions).direct_num_workers) or os.cpu_count() or 1


def _pipeline(command: Command) -> beam.Pipeline:
    """Return an empty pipeline on the command's runner."""
    # Without a named runner, Beam first looks for another one, which it would download.
    runner = FnApiRunner() if command.beam.view_as(StandardOptions).runner in (None, "DirectRunner") else None
    try:
        return beam.Pipeline(runner=runner, options=command.beam)
    except ValueError as error:  # Beam's own checks of its options
        raise ConfigurationError(str(error)) from error


def _run(pipeline: beam.Pipeline, command: Command, job: Job, samples: str) -> PipelineResult:
    tasks, documents = list_tasks(pipeline, job)
    if not command.dry_run:
        outcomes = classify(tasks, job)
        if command.table:
            write_rows(outcomes, command.table)
        if command.report:
            write_samples(outcomes, count_quality(outcomes, documents, job), samples)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except RuntimeError as error:  # a worker that was killed, for lack of memory perhaps, or a job that was cancelled
        raise JobEndedError(
            f"The job ended early: {error}\nFinished images keep their results. Run it again for the rest."
        ) from error
    return result


def _check_place(job: Job) -> None:
    """Raise `ConfigurationError` if the place of the images or results is missing or may not be listed."""
    for place in {job.place, job.result_place}:
        try:
            next(iter(job.open_store().list_objects(place, job.pattern.prefix)), None)
        except ObjectMissingError:
            raise ConfigurationError(f"There is no bucket {place}.") from None
        except FlowersError as error:
            raise ConfigurationError(f"{error.message} The reason: {error.__cause__}") from error
