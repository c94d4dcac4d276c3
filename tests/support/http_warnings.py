"""Read the warnings after an answer, which the fixture `warnings` catches."""

import logging

import pytest

from tests.support.http_buckets import until


def wait_for(warnings: pytest.LogCaptureFixture, count: int) -> None:
    """Wait until so many warnings are logged."""
    until(lambda: len(warnings.records) >= count)
    assert len(warnings.records) == count


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the fields of a log entry."""
    fields: dict[str, str] = record.__dict__["fields"]
    return fields
