"""Test that the program accepts what infra/ passes: the scheduled job's arguments, and the options for Dataflow."""

import re

from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, SetupOptions, WorkerOptions

from backfill.command_line import read_command
from tests.support.paths import ROOT

INFRA = ROOT / "infra"


def _filled(text: str) -> str:
    """Return a text of Terraform's with each reference replaced by a name."""
    return re.sub(r"\$\{[^}]*\}", "my-name", text)


def test_scheduled_job_arguments_are_accepted() -> None:
    text = (INFRA / "reconciliation.tf").read_text(encoding="utf-8").replace("tostring(each.value.cpu)", '"2"')
    (given,) = re.findall(r"^ +args += \[(.*)\]$", text, re.MULTILINE)
    direct, python, option, program, *arguments = re.findall(r'"([^"]*)"', _filled(given))
    assert (direct, python, option) == ("--", "python", "-m")
    assert (INFRA.parent / "function" / program / "__main__.py").is_file()
    command = read_command(arguments, {})
    assert (command.job.place, command.job.pattern.text, command.on_dataflow) == ("my-name", "**", False)
    assert command.beam.view_as(DirectOptions).direct_num_workers == 2


def test_dataflow_options_are_accepted() -> None:
    text = (INFRA / "outputs.tf").read_text(encoding="utf-8")
    (block,) = re.findall(r'^output "dataflow_options" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    options = _filled(" ".join(re.findall(r'^ +"(--.*)",$', block, re.MULTILINE))).split()
    command = read_command(["--input", "gs://garden/**", *options], {})
    assert command.on_dataflow
    # Without addresses on the internet, workers could install nothing: all is in their container.
    workers = command.beam.view_as(WorkerOptions)
    assert workers.use_public_ips is False
    assert workers.subnetwork == "regions/my-name/subnetworks/my-name"
    assert workers.sdk_container_image.endswith("/backfill-dataflow:my-name")
    assert command.beam.view_as(SetupOptions).sdk_location == "container"
    cloud = command.beam.view_as(GoogleCloudOptions)
    assert (cloud.temp_location, cloud.staging_location) == ("gs://my-name/temp", "gs://my-name/staging")
    assert cloud.service_account_email == "my-name"
