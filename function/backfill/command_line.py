"""Read the command line: the program's own options and Beam's, all checked before anything runs."""

import argparse
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)

from flowers.cloud.objects import BUCKET_NAME, ObjectAddress
from flowers.settings import Settings, SettingsError

from .job import ConfigurationError, Job
from .pattern import Pattern

_DESCRIPTION = """\
Classify the images of a bucket, or of a folder, that have no result yet. Write each result beside its image, as the
upload function does. Run it again at any time: it does what is missing, and nothing twice.

  python -m backfill --input './photos/**'
  python -m backfill --input 'gs://garden/2025/**' --dry-run
  python -m backfill --input 'gs://garden/2025/**' --runner DataflowRunner \\
      --project my-project --region europe-west1 --temp_location gs://my-staging/backfill \\
      --sdk_container_image IMAGE --sdk_location container
"""
_EPILOGUE = """\
patterns (quote them, so that the shell does not expand them):
  **   any text; `2025/**/*.jpg` also matches `2025/rose.jpg`      *   any text without a slash      ?   one character

settings:
  the environment variables of the function apply: MODEL_PATH, TOP_K, RESULT_SUFFIX, RESULT_BUCKET and the others.

options of Apache Beam are passed on: --runner, --project, --region, --temp_location, --max_num_workers, …
  --direct_num_workers N         processes on this machine (default: one for each core)

exit status:
  0 all is done (invalid images have their error documents)    1 something is left to do: run it again
  2 the command or a setting is invalid
"""
_TABLE = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]:\w{1,1024}\.[\w-]{1,1024}", re.ASCII)


@dataclass(frozen=True)
class Options:
    """Hold the program's own options, as they were given."""

    input: str
    all: bool
    dry_run: bool
    bigquery: str | None
    report: Path | None
    retry_faulty: bool
    csv: Path | None
    xmp: bool


@dataclass(frozen=True)
class Command:
    """Hold a valid command: the job, what to do with it, and Beam's options. `table` is `project:dataset.table`."""

    job: Job
    dry_run: bool
    table: str | None
    report: Path | None
    csv: Path | None
    xmp: bool
    beam: PipelineOptions
    on_dataflow: bool


def read_command(arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """Read a command from the arguments and the environment's settings. The model is not loaded.

    End the program with status 2 for invalid arguments, and with 0 for `--help`. Raise `ConfigurationError` if
    something that the arguments name is missing, or a setting is invalid.
    """
    parser = argparse.ArgumentParser(
        prog="python -m backfill",
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--input", required=True, metavar="PATTERN", help="gs://bucket/pattern, or a pattern of files")
    parser.add_argument("--all", action="store_true", help="also redo images that have their result")
    parser.add_argument("--retry-faulty", action="store_true", help="also redo images that have an error document")
    parser.add_argument("--dry-run", action="store_true", help="only count the images and estimate the time")
    parser.add_argument(
        "--bigquery", metavar="PROJECT:DATASET.TABLE", help="also write the results of this run to a table"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page: a chart, and invalid and unsure images"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE.csv", help="write a folder's results as a table for a spreadsheet"
    )
    parser.add_argument("--xmp", action="store_true", help="write a sidecar photo.jpg.xmp with the kind of each photo")
    given, rest = parser.parse_known_args(arguments)
    own = Options(**vars(given))
    beam = _beam_options(parser, rest)
    on_dataflow = beam.view_as(StandardOptions).runner == "DataflowRunner"
    job = replace(_job(own.input, own.all, environment, on_dataflow), retry_faulty=own.retry_faulty)
    if on_dataflow and not beam.view_as(WorkerOptions).sdk_container_image:
        raise ConfigurationError(
            "--sdk_container_image is missing: Dataflow's workers take this code from a container. "
            "Build it with make backfill-image, and copy the options from terraform output dataflow_options."
        )
    _check_bigquery(own.bigquery)
    for option, file in (("--report", own.report), ("--csv", own.csv)):
        if file and not file.absolute().parent.is_dir():
            raise ConfigurationError(f"{option} {file}: there is no folder {file.absolute().parent}. Make it.")
    if (own.csv or own.xmp) and not job.local:
        raise ConfigurationError("--csv and --xmp are for a folder of files; --input names a bucket. Use --bigquery.")
    return Command(job, own.dry_run, own.bigquery, own.report, own.csv, own.xmp, beam, on_dataflow)


def _beam_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> PipelineOptions:
    """Read Beam's options. Beam itself ignores unknown ones."""
    options = PipelineOptions(list(arguments))
    known: list[argparse.ArgumentParser] = []
    options.get_all_options(add_extra_args_fn=known.append)
    unknown = known[0].parse_known_args(arguments)[1]
    files = [argument for argument in unknown if not argument.startswith("-")]
    if files:
        parser.error(f"unexpected argument {files[0]!r}. Put the pattern of --input in quotation marks.")
    if unknown:
        parser.error(f"unknown option {unknown[0]}. See --help.")
    direct = options.view_as(DirectOptions)
    given = {argument.partition("=")[0] for argument in arguments}
    if "--direct_num_workers" not in given:
        direct.direct_num_workers = os.cpu_count() or 1
    if "--direct_running_mode" not in given:
        # Threads of one process wait for each other: Python runs one at a time.
        direct.direct_running_mode = "multi_processing"
    return options


def _job(pattern: str, redo_all: bool, environment: Mapping[str, str], on_dataflow: bool) -> Job:
    variables = {field.name.upper() for field in fields(Settings)}
    kept = {name: value for name, value in environment.items() if name in variables}
    try:
        settings = Settings.from_environment(kept)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    local = not pattern.startswith("gs://")
    if local and "://" in pattern:
        raise ConfigurationError(f"--input {pattern}: should be gs://bucket/pattern, or a pattern of files.")
    place, names = _folder(pattern) if local else _bucket(pattern)
    if local and settings.result_bucket:
        raise ConfigurationError("RESULT_BUCKET is set, but results of files lie beside them. Unset it.")
    if on_dataflow and local:
        raise ConfigurationError(f"--input {pattern}: Dataflow's workers see no files of this machine, only gs://…")
    if on_dataflow and kept.get("MODEL_PATH") and not isinstance(settings.model_path, ObjectAddress):
        raise ConfigurationError("MODEL_PATH names a file of this machine; Dataflow's workers need one in gs://…")
    return Job(place, Pattern(names), local, kept, redo_all)


def _bucket(pattern: str) -> tuple[str, str]:
    bucket, _, names = pattern.removeprefix("gs://").partition("/")
    if not BUCKET_NAME.fullmatch(bucket):
        raise ConfigurationError(f"--input {pattern}: {bucket!r} is no name of a bucket.")
    return bucket, names


def _folder(pattern: str) -> tuple[str, str]:
    """Return the folder before the first wildcard, as an absolute path, and the pattern below it."""
    path = Path(pattern).expanduser()
    if path.is_dir():
        return str(path.absolute()), ""
    prefix = Pattern(str(path)).prefix
    folder, slash, _ = prefix.rpartition("/")
    root = Path(f"{folder}{slash}" or ".")
    if not root.is_dir():
        raise ConfigurationError(f"--input {pattern}: there is no folder {root}.")
    return str(root.absolute()), str(path).removeprefix(f"{folder}{slash}")


def _check_bigquery(table: str | None) -> None:
    if table and not _TABLE.fullmatch(table):
        raise ConfigurationError(f"--bigquery {table}: should be like my-project:flowers.backfill")
    if table and not shutil.which("java"):
        raise ConfigurationError(
            "--bigquery: Beam's connector to the Storage Write API is written in Java. Install a Java runtime (17 or "
            "newer), or let BigQuery read the documents in the bucket (infra/bigquery.tf)."
        )
