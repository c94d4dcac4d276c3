"""What is to be done, as the program tells every worker."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowers.cloud.objects import ObjectStore, is_object_name
from flowers.results.writer import Results
from flowers.settings import Settings

from .local_files import LocalFiles
from .pattern import Pattern

# NAME_MAX of Linux's and macOS's file systems.
_MOST_FILE_NAME_BYTES = 255


class ConfigurationError(Exception):
    """Something that no image can be classified with; the message says what to do."""


@dataclass(frozen=True)
class Job:
    """Images of a bucket, or of the folder `place` where it is `local`, whose names are by `pattern`.

    `environment` has the variables of the settings; they are read anew by each worker, where the bundled model may lie
    elsewhere. `redo_all` classifies what has its result, too. `model_version` is filled in when the job runs.
    `progress` is a folder on this machine that shows the progress, None if the workers are on other machines.
    """

    place: str
    pattern: Pattern
    local: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    redo_all: bool = False
    model_version: str = ""
    progress: Path | None = None

    @property
    def uri(self) -> str:
        """The pattern as it is written on the command line."""
        return f"{self.place}/{self.pattern.text}" if self.local else f"gs://{self.place}/{self.pattern.text}"

    @property
    def settings(self) -> Settings:
        """The function's settings."""
        return Settings.from_environment(self.environment)

    @property
    def result_place(self) -> str:
        """The bucket or the folder that the results are written to."""
        return self.settings.result_bucket or self.place

    def open_store(self) -> ObjectStore:
        """The images' place. Raises `UnavailableError` when Cloud Storage is out of reach."""
        if self.local:
            return LocalFiles(Path(self.place), self.settings.result_suffix, self.model_version)
        from flowers.cloud.storage import Storage  # slow to import, and a folder needs none

        return Storage()

    def holds(self, name: str) -> bool:
        """Whether an object of this name could lie in the place."""
        if self.local:
            return len(os.fsencode(name.rpartition("/")[2])) <= _MOST_FILE_NAME_BYTES
        return is_object_name(name)

    def results(self, store: ObjectStore) -> Results:
        """The protocol of results, as the upload function keeps it."""
        settings = self.settings
        return Results(store, settings.result_suffix, settings.result_bucket, self.model_version)
