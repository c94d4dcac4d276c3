"""A command from its start to its summary."""

import logging
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from flowers.errors import FlowersError
from flowers.stored_object import ObjectMissingError

from .command_line import Command
from .job import ConfigurationError, Job
from .pipeline import classify, list_tasks
from .progress import ProgressBar
from .summary import Summary

# It repeats all that workers log, Beam's own warnings in each of them included; their faults are in the summary.
logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(logging.ERROR)

_FUNCTION = Path(__file__).parents[1]


def run(command: Command) -> int:
    """Does what the command says, prints what came out, and returns the exit status. Raises `ConfigurationError`."""
    _check_place(command.job)
    started = time.monotonic()
    if command.on_dataflow:
        result = _build(command, command.job).run()
        result.wait_until_finish()
        summary = Summary.of(result, time.monotonic() - started)
    else:
        with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
            job = replace(command.job, progress=Path(folder))
            with ProgressBar(Path(folder)):
                result = _run_here(_build(command, job))
            summary = Summary.of(result, time.monotonic() - started)
    print(summary.text())
    return 1 if summary.left else 0


def _check_place(job: Job) -> None:
    """Raises `ConfigurationError` where the images' place, or the results', is not there or may not be listed."""
    for place in {job.place, job.result_place}:
        try:
            next(iter(job.open_store().list_objects(place, job.pattern.prefix)), None)
        except ObjectMissingError:
            raise ConfigurationError(f"There is no bucket {place}.") from None
        except FlowersError as error:
            raise ConfigurationError(f"{error.message} The reason: {error.__cause__}") from error


def _build(command: Command, job: Job) -> beam.Pipeline:
    runner = None
    if command.beam.view_as(StandardOptions).runner in (None, "DirectRunner"):
        # Where it is not named, Beam first looks for another runner, which it would download.
        runner = FnApiRunner()
    pipeline = beam.Pipeline(runner=runner, options=command.beam)
    tasks = list_tasks(pipeline, job)
    if not command.dry_run:
        classify(tasks, job)
    return pipeline


def _run_here(pipeline: beam.Pipeline) -> PipelineResult:
    """Runs a pipeline in processes of this machine, which have to find this code."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_FUNCTION), os.environ.get("PYTHONPATH")]))
    result = pipeline.run()
    result.wait_until_finish()
    return result
