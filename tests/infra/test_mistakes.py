"""Test that deliberate mistakes, made in a copy, turn the checks of infra/ red."""

from pathlib import Path

import pytest

from tests.infra.conftest import Terraform

# File, what stands there, the mistake, and what a test of infra/tests says of it.
MISTAKES = [
    ("storage.tf", '= "enforced"', '= "inherited"', "No bucket should be public"),
    ("storage.tf", "= var.delete_images_on_destroy", "= true", "Destroying the deployment should not destroy images"),
    ("functions.tf", '"RETRY_POLICY_RETRY"', '"RETRY_POLICY_DO_NOT_RETRY"', "Without retries, an upload is lost"),
    ("functions.tf", "= local.location", '= "us-central1"', "The trigger should be where the bucket is"),
    ("functions.tf", '"315532800"', '""', "Bytecode should stay valid"),
    (
        "functions.tf",
        "= event_trigger.value",
        "= google_storage_bucket.source.name",
        "Only the images bucket should trigger",
    ),
    ("functions.tf", "= local.email[each.key]", "= local.email.build", "as its own account"),
    ("functions.tf", '"ALLOW_INTERNAL_ONLY"', '"ALLOW_ALL"', "Nobody on the internet should reach the upload function"),
    ("identities.tf", "eventarc.eventReceiver", "eventarc.viewer", "The trigger should be allowed to receive"),
    ("identities.tf", '"420s"', '"90s"', "A grant may take seven minutes"),
    ("identities.tf", "concat(keys(local.bucket_grants), ", "concat(", "Each grant should be waited for"),
    ("services.tf", '"roles/eventarc.serviceAgent"', '"roles/viewer"', "agents should be granted their roles"),
    ("identities.tf", '"storage.objects.create", ', "", "Writing results takes two permissions"),
    ("identities.tf", 'endsWith(\\"${condition.value}\\")', 'endsWith(\\"\\")', "never an image"),
    ("identities.tf", '? ["allUsers"] : var.invokers', '? var.invokers : ["allUsers"]', "The trigger alone"),
    ("bigquery.tf", '"NEWLINE_DELIMITED_JSON"', '"CSV"', "over one-line JSON"),
    ("identities.tf", "gcf-v2-sources-", "", "A build should read sources and no image"),
]
# The same of what is off by default.
MISTAKES_IN_STREAMING = [
    (
        "streaming.tf",
        "= true # a newer function",
        "= false # a newer function",
        "fields that it does not know left out",
    ),
    (
        "streaming.tf",
        '"roles/bigquery.dataEditor"',
        '"roles/bigquery.dataViewer"',
        "should be able to write into the table",
    ),
    ("streaming.tf", '"roles/pubsub.subscriber"', '"roles/pubsub.viewer"', "to take dead letters out"),
    (
        "streaming.tf",
        'concat(["http", "upload"], ',
        'concat(["upload"], ',
        "Both functions should be allowed to publish",
    ),
    ("streaming.tf", 'ttl = ""', 'ttl = "2678400s"', "should not vanish"),
    ("streaming.tf", "= !var.delete_images_on_destroy", "= false", "through a destroy"),
    ("streaming.tf", "kms_key_name = var.kms_key", "", "The key should encrypt topics and table"),
    ("services.tf", '["bigquery", "pubsub"]', '["bigquery"]', "should be able to use the key"),
    ("functions.tf", "topics/${local.results_topic}", "topics/results", "Both functions should be told the topic"),
]
MISTAKES_IN_BACKFILL = [
    ("reconciliation.tf", '"roles/run.invoker"', '"roles/run.viewer"', "should be allowed to start this job alone"),
    (
        "reconciliation.tf",
        "gs://${local.images_bucket}/**",
        "gs://${local.results_bucket}/**",
        "over the images bucket",
    ),
    ("reconciliation.tf", '"THREADS"', '"THREADS", "RESULT_TOPIC"', "should have the upload function's settings"),
    ("streaming.tf", ", tolist(local.backfills)", "", "should be allowed to publish"),
    (
        "reconciliation.tf",
        "= local.email.reconcile",
        "= local.email.scheduler",
        "The job should run as its own account",
    ),
    ("identities.tf", '== "writes" ?', '== "nothing" ?', "write results and nothing else"),
    (
        "dataflow.tf",
        "private_ip_google_access = true",
        "private_ip_google_access = false",
        "should reach Google's interfaces",
    ),
    (
        "dataflow.tf",
        "source_tags = ",
        'source_ranges = ["0.0.0.0/0"]\n  source_tags = ',
        "Only workers should reach workers",
    ),
    ("dataflow.tf", '"enforced"', '"inherited"', "temporary files should be private"),
    ("identities.tf", 'dataflow = "reader"', 'dataflow = "writer"', "be able to read their container"),
]
MISTAKES_IN_THE_PIPELINE = [
    ("pipeline.tf", '"^main$"', '".*"', "Only main should deploy"),
    ("pipeline.tf", '"viewer",\n  ]', '"viewer",\n    "run.admin",\n  ]', "to change nothing"),
    ("pipeline.tf", "serviceAccountOpenIdTokenCreator", "serviceAccountUser", "should get an identity token"),
    ("pipeline.tf", ":environment:production", "", "Only a job in the environment production should deploy"),
    ("pipeline.tf", "assertion.sub == '${subject}'", "true", "other repositories should be refused"),
    ("pipeline.tf", '"deploy viewer", ', "", "on the billing account"),
]
# These are refused before a plan: file, what stands there, the mistake, command, what terraform says.
BROKEN = {
    "a misspelled argument": (
        "storage.tf",
        "public_access_prevention ",
        "public_acess_prevention ",
        ("validate",),
        'Did you mean "public_access_prevention"?',
    ),
    "a missing role": (
        "identities.tf",
        'resource "google_cloud_run_v2_service_iam_member" "callers"',
        'resource "google_cloud_run_v2_service_iam_member" "nobody"',
        ("test", "-filter=tests/defaults.tftest.hcl"),
        "google_cloud_run_v2_service_iam_member",
    ),
    "a validation that lets everything pass": (
        "settings.tf",
        '"^[._-][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$"',
        '".*"',
        ("test", "-filter=tests/refusals.tftest.hcl"),
        "var.result_suffix, was expected to report an error",
    ),
}


def _mistake(copy: Terraform, file: str, right: str, wrong: str) -> None:
    path = copy.folder / file
    text = path.read_text(encoding="utf-8")
    assert right in text, f"{right!r} no longer stands in {file}"
    path.write_text(text.replace(right, wrong), encoding="utf-8")


@pytest.mark.parametrize(
    ("tests", "mistakes"),
    [
        ("defaults", MISTAKES),
        ("streaming", MISTAKES_IN_STREAMING),
        ("backfill", MISTAKES_IN_BACKFILL),
        ("pipeline", MISTAKES_IN_THE_PIPELINE),
    ],
)
def test_mistake_in_plan_fails_its_test(
    terraform: Terraform, tmp_path: Path, tests: str, mistakes: list[tuple[str, str, str, str]]
) -> None:
    """Make all at once, because a run takes seconds. Each has its own message."""
    copy = terraform.copy(tmp_path / "copy")
    for file, right, wrong, _ in mistakes:
        _mistake(copy, file, right, wrong)
    done = copy.run("test", "-no-color", f"-filter=tests/{tests}.tftest.hcl")
    assert done.returncode != 0
    output = " ".join(done.stdout.split())
    assert [message for *_, message in mistakes if message not in output] == []


@pytest.mark.parametrize("mistake", BROKEN)
def test_broken_file_is_refused(terraform: Terraform, tmp_path: Path, mistake: str) -> None:
    file, right, wrong, command, message = BROKEN[mistake]
    copy = terraform.copy(tmp_path / "copy")
    _mistake(copy, file, right, wrong)
    done = copy.run(command[0], "-no-color", *command[1:])
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split())
