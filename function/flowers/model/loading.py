"""Load the model in a thread while imports continue."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..cloud.objects import ObjectAddress
from .file import read_model

if TYPE_CHECKING:
    from .session import Model


class LoadingModel:
    """Load the model at a path. Reading it, hashing it and making a session release the interpreter's lock."""

    def __init__(self, path: Path | ObjectAddress) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        file = self._thread.submit(read_model, path)
        from .session import Model  # NumPy and onnxruntime, which take long to import

        self._model = self._thread.submit(lambda: Model(file.result()))

    def loaded(self) -> "Model":
        """Wait for the model and end the thread, which must not cross the server's fork. Raise `ModelError`."""
        with self._thread:
            return self._model.result()
