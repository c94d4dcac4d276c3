"""Test that Terraform sets the variables that `flowers.settings` reads, to valid values."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from flowers.settings import Settings
from tests.infra.conftest import ROOT, Planned

# Read by functions-framework (THREADS, LOG_EXECUTION_ID) and by `flowers.log`.
OF_THE_PLATFORM = {"GOOGLE_CLOUD_PROJECT", "LOG_EXECUTION_ID", "THREADS"}
# Checked at the start, but left to functions-framework's default.
NOT_SET = {"WORKERS"}
ONLY_HTTP = {"ALLOWED_BUCKETS", "ARCHIVE_BUCKET", "ARCHIVE_METADATA", "CORS_ALLOW_ORIGIN"}
ONLY_UPLOAD = {"RESULT_BUCKET"}


class _Environment(Mapping[str, str]):
    """Act as an empty environment that records the names read from it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _names_of_settings() -> set[str]:
    environment = _Environment()
    Settings.from_environment(environment)
    return environment.asked


def _environment(plan: dict[str, Any], planned: Planned, function: str) -> dict[str, str]:
    variables: dict[str, str] = planned(plan, "google_cloudfunctions2_function")[f"this[{function}]"]["service_config"][
        0
    ]["environment_variables"]
    return variables


def test_names_are_those_of_the_settings(full_plan: dict[str, Any], planned: Planned) -> None:
    settings = _names_of_settings()
    assert len(settings) > 10
    http, upload = (set(_environment(full_plan, planned, function)) for function in ("http", "upload"))
    assert http | upload == settings - NOT_SET | OF_THE_PLATFORM
    assert http - upload == ONLY_HTTP
    assert upload - http == ONLY_UPLOAD


@pytest.mark.parametrize("function", ["http", "upload"])
def test_values_are_accepted(
    full_plan: dict[str, Any], planned: Planned, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / "function")  # MODEL_PATH is a path inside it
    environment = _environment(full_plan, planned, function)
    settings = Settings.from_environment(environment)
    for name in set(environment) - OF_THE_PLATFORM:
        value = getattr(settings, name.lower())
        assert ",".join(value) == environment[name] if isinstance(value, tuple) else str(value) == environment[name]
        assert value != getattr(Settings(), name.lower()) or name == "MODEL_PATH", (
            f"the example of {name} is the default"
        )


def test_reconciliation_has_the_upload_settings(
    full_plan: dict[str, Any], planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / "function")
    job = planned(full_plan, "google_cloud_run_v2_job")["reconciliation[job]"]
    (container,) = job["template"][0]["template"][0]["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    upload = _environment(full_plan, planned, "upload")
    assert upload == given | {name: upload[name] for name in ("LOG_EXECUTION_ID", "THREADS")}


def test_unset_variable_is_left_to_the_function(default_plan: dict[str, Any], planned: Planned) -> None:
    for function in ("http", "upload"):
        environment = _environment(default_plan, planned, function)
        assert set(environment) == OF_THE_PLATFORM | {"RESULT_SUFFIX"}  # which grants and tables go by as well
        assert Settings.from_environment(environment) == Settings()


def test_other_names_are_read_by_the_platform() -> None:
    assert '"GOOGLE_CLOUD_PROJECT"' in (ROOT / "function" / "flowers" / "log.py").read_text(encoding="utf-8")
