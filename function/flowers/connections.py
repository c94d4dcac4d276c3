"""How long the server keeps a connection open that nobody uses."""

from contextlib import suppress

# Google's front ends keep theirs to a server for 600 seconds
# (https://cloud.google.com/load-balancing/docs/https/request-distribution).
_IDLE_SECONDS = 650


def keep_connections() -> None:
    """Has gunicorn keep connections for longer than callers do, so that the caller is the one who closes.

    gunicorn closes after two seconds by default, and whoever sends a request at that moment gets a reset for an answer.
    functions-framework lets nobody set it; it starts gunicorn once it has loaded the function, with these defaults.
    """
    with suppress(ImportError):  # on Windows, where another server is used
        from gunicorn.config import Keepalive

        Keepalive.default = _IDLE_SECONDS
