"""Serve the function, which also fails, warns and logs as libraries do. Nothing else differs."""

import logging
import threading
import warnings

from flowers.http.description import Description

__all__ = ["classify_http"]


def _fail() -> None:
    raise ValueError("in a thread")


def _be_noisy(*_: object) -> None:
    warnings.warn("a library warns", stacklevel=1)
    logging.getLogger("urllib3.connectionpool").warning("a library logs")
    thread = threading.Thread(target=_fail)
    thread.start()
    thread.join()
    logging.getLogger("gunicorn.error").error("the server logs")
    raise RuntimeError("a failure")


Description.species = _be_noisy  # type: ignore[method-assign,assignment]

from main import classify_http  # noqa: E402  # after the noise is set
