"""The model, loaded in a thread beside the imports: 19 ms less of a start where a second processor is free."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING

from ..settings import Settings
from .file import read_model

if TYPE_CHECKING:
    from .session import Model


# What gives NumPy's functions their docstrings, 6 ms of its import, for nobody in a server to read. Where NumPy is
# imported already, or has no such modules (any more), nothing changes.
_DOCSTRINGS = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")


class LoadingModel:
    """The settings' model. To read it, to hash it and to make a session of it leaves the interpreter to others."""

    def __init__(self, settings: Settings) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        file = self._thread.submit(read_model, settings.model_path)
        for name in _DOCSTRINGS:
            sys.modules.setdefault(name, ModuleType(name))
        from .session import Model  # NumPy and onnxruntime, which take long to import

        self._model = self._thread.submit(lambda: Model(file.result(), settings.inference_threads))

    def loaded(self) -> "Model":
        """Waits for it; no thread is left for the server's fork to lose. Raises `ModelError`."""
        with self._thread:
            return self._model.result()
