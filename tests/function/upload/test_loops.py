"""Test that the event of a result leads to no other result, whatever the suffix of results."""

import subprocess

import pytest
from cloudevents.http.event import CloudEvent
from google.cloud import storage
from hypothesis import given, settings
from hypothesis import strategies as st

from flowers.classifier import Classifier
from flowers.cloud.clients import Cloud
from flowers.results.writer import ResultWriter
from flowers.settings import Settings, SettingsError
from flowers.upload import UploadFunction
from tests.support.emulated_cloud import attributes
from tests.support.http_contract import no_storage
from tests.support.server_process import clean_environment, framework, free_port
from tests.support.upload_instances import UploadCloud, upload_function
from tests.support.uploads import (
    NEW,
    deliver,
    event_data,
    event_of,
    log_lines,
    names,
    put,
    result_blob,
    result_of,
    the_line,
)


@pytest.mark.parametrize("suffix", [".json", ".flowers.json", "_result", "-species.txt", ".r"])
def test_result_s_own_event_is_skipped(bucket: storage.Bucket, suffix: str) -> None:
    instance, watched = upload_function(RESULT_SUFFIX=suffix)
    image = put(bucket, "rose.jpg", NEW)
    assert event_of(instance, image) == "classified"
    assert result_of(image, suffix=suffix)["image"]["width"] == 80
    watched.calls.clear()
    result = result_blob(image, suffix=suffix)
    for changes in ({}, {"metadata": {}, "contentType": "image/jpeg"}, {"contentType": ""}):
        with log_lines() as lines:
            assert deliver(instance, result, **changes) == 200
        assert the_line(lines)["event"] == "skipped"
    assert watched.calls == []
    assert names(bucket) == ["rose.jpg", f"rose.jpg{suffix}"]


def test_renamed_result_is_skipped_by_metadata(cloud: UploadCloud) -> None:
    bucket, instance, watched, _ = cloud
    image = put(bucket, "rose.jpg", NEW)
    deliver(instance, image)
    watched.calls.clear()
    copy = bucket.copy_blob(result_blob(image), bucket, "copy.jpg")
    for content_type in ("application/json", "image/jpeg", ""):
        with log_lines() as lines:
            assert deliver(instance, copy, contentType=content_type) == 200
        assert the_line(lines)["event"] == "skipped"
    assert watched.calls == []


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Return the bundled model's classifier."""
    return Classifier(Settings())


@settings(deadline=None)
@given(
    suffix=st.from_regex(r"[!-~]{0,12}", fullmatch=True) | st.from_regex(r"[._-][a-z.]{0,8}", fullmatch=True),
    name=st.text(min_size=1),
)
def test_accepted_suffix_marks_results(classifier: Classifier, suffix: str, name: str) -> None:
    try:
        settings = Settings.from_environment({"RESULT_SUFFIX": suffix})
    except SettingsError as error:
        assert "RESULT_SUFFIX" in str(error)
        return
    function = UploadFunction(ResultWriter(classifier, settings, Cloud(no_storage)))
    data = event_data(name=name + settings.result_suffix)
    with log_lines() as lines:
        function(CloudEvent(attributes("garden", "rose.jpg"), data))
    assert the_line(lines)["event"] in ("skipped", "malformed")


def test_image_extension_as_suffix_fails_startup() -> None:
    command = framework("classify_upload", free_port())
    run = subprocess.run(
        command, env=clean_environment(RESULT_SUFFIX=".JPG"), capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode != 0
    assert "RESULT_SUFFIX='.JPG': should be" in run.stdout
