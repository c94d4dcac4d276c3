"""Describe the work, as it is sent to every worker."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowers.cloud.objects import ObjectStore, is_object_name
from flowers.results.result_objects import Results
from flowers.settings import Settings

from .local_files import LocalFiles
from .pattern import Pattern

# NAME_MAX of Linux's and macOS's file systems.
_MAX_FILE_NAME_BYTES = 255


class ConfigurationError(Exception):
    """Report an invalid command, setting or deployment. The message says what to do."""


@dataclass(frozen=True)
class Job:
    """Hold what to classify: the images in the bucket `place`, or folder if `local`, whose names match `pattern`.

    `environment` has the variables of the settings. Each worker reads them itself, since its bundled model may have
    another path. `redo_all` also classifies images that have their result, and `retry_faulty` those that have an error
    document. `model_version` is set when the job runs. `progress` is a folder on this machine that shows the progress,
    None if the workers are on other machines.
    """

    place: str
    pattern: Pattern
    local: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    redo_all: bool = False
    model_version: str = ""
    retry_faulty: bool = False
    progress: Path | None = None

    @property
    def uri(self) -> str:
        """Return the pattern as it is written on the command line."""
        return f"{self.place}/{self.pattern.text}" if self.local else f"gs://{self.place}/{self.pattern.text}"

    @property
    def settings(self) -> Settings:
        """Return the function's settings."""
        return Settings.from_environment(self.environment)

    @property
    def result_place(self) -> str:
        """Return the bucket or the folder that the results are written to."""
        return self.settings.result_bucket or self.place

    def open_store(self) -> ObjectStore:
        """Open the images' bucket or folder. Raise `UnavailableError` if Cloud Storage is unavailable."""
        if self.local:
            return LocalFiles(Path(self.place), self.settings.result_suffix, self.model_version)
        from flowers.cloud.storage import Storage  # slow to import, and a folder needs none

        return Storage()

    def holds(self, name: str) -> bool:
        """Return whether the bucket or folder allows an object of this name."""
        if self.local:
            return len(os.fsencode(name.rpartition("/")[2])) <= _MAX_FILE_NAME_BYTES
        return is_object_name(name)

    def results(self, store: ObjectStore) -> Results:
        """Return the results of this job, by the same rules as the upload function."""
        settings = self.settings
        return Results(store, settings.result_suffix, settings.result_bucket, self.model_version)
