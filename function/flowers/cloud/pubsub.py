"""Publish to Pub/Sub. This module is slow to import: import it when needed.

One REST call (https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish) needs only what
google-cloud-storage imports anyway. google-cloud-pubsub and its grpc would slow the start and take memory.
"""

import base64
import os
from collections.abc import Mapping
from urllib.parse import quote

import google.auth
import requests
from google.api_core.exceptions import RetryError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import AuthorizedSession

from ..errors import UnavailableError

# A call gives up after about this long, retries included. The event is then retried.
CALL_SECONDS = 8.0
# Seconds to connect, and between two pieces of an answer.
_TIMEOUT = (3.05, 4.0)
# https://cloud.google.com/pubsub/docs/reference/error-codes (2026): a retry may succeed.
_PASSING = (408, 429, 500, 502, 503, 504)
_ADVICE = {
    403: "Grant this account roles/pubsub.publisher on the topic.",
    404: "Create the topic, or correct RESULT_TOPIC.",
}


class _RefusedError(Exception):
    """Report an answer that does not confirm the message."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"{response.status_code} {response.text[:300]}")
        self.status = response.status_code


def _may_pass(error: Exception) -> bool:
    if isinstance(error, _RefusedError):
        return error.status in _PASSING
    return isinstance(error, requests.RequestException | TransportError)


_RETRY = Retry(predicate=_may_pass, initial=0.25, maximum=2.0, multiplier=2.0, timeout=CALL_SECONDS)


class Topic:
    """Publish from many threads, with the default credentials, or with none to the emulator at PUBSUB_EMULATOR_HOST."""

    def __init__(self, name: str) -> None:
        """Take a `name` like `projects/PROJECT/topics/TOPIC`. Raise `UnavailableError` without credentials."""
        self._name = name
        emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
        self._url = f"{f'http://{emulator}' if emulator else 'https://pubsub.googleapis.com'}/v1/{quote(name)}:publish"
        try:
            credentials = (
                AnonymousCredentials()  # type: ignore[no-untyped-call]
                if emulator
                else google.auth.default(scopes=["https://www.googleapis.com/auth/pubsub"])[0]
            )
        except GoogleAuthError as error:
            raise UnavailableError("UNAVAILABLE", f"No credentials to publish to {name}.") from error
        self._session = AuthorizedSession(credentials, refresh_timeout=_TIMEOUT[1])  # type: ignore[no-untyped-call]

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        """Publish a message at least once. Raise `UnavailableError`."""
        message = {"data": base64.b64encode(data).decode("ascii"), "attributes": dict(attributes)}
        try:
            _RETRY(self._post)(message)
        except (_RefusedError, RetryError, GoogleAuthError, requests.RequestException) as error:
            # The cause is for the log: it may name accounts and hosts.
            cause = error.cause if isinstance(error, RetryError) and error.cause else error
            advice = _ADVICE.get(getattr(cause, "status", 0), "Retry later.")
            raise UnavailableError(
                "UNAVAILABLE", f"Pub/Sub did not accept a document for {self._name}. {advice}"
            ) from cause

    def _post(self, message: Mapping[str, object]) -> None:
        response = self._session.post(self._url, json={"messages": [message]}, timeout=_TIMEOUT)
        if response.status_code != requests.codes.ok or "messageIds" not in response.json():
            raise _RefusedError(response)
