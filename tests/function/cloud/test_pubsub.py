"""Test the one call to Pub/Sub: what arrives, what is retried, and what is reported with advice."""

import itertools
import json
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flowers.cloud.pubsub import Topic
from flowers.errors import UnavailableError
from tests.support.failing_pubsub import FailingPubSub, Fault
from tests.support.pubsub_emulator import Message, PubSub
from tests.support.server_process import free_port

_numbers = itertools.count(1)
LINE = '{"species": {"names": {"es": "girasol ☀ ñ"}}}'.encode()
MARKS = {"result-schema": "flowers.result/v1", "model-version": "1.1.0", "source-generation": "1795422804472964"}


@pytest.fixture(params=["emulator", "failing"])
def pubsub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PubSub:
    """Provide either server."""
    server: PubSub = request.getfixturevalue(request.param)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
    return server


def new_topic(pubsub: PubSub, ending: str = "") -> str:
    """Return a new topic."""
    name = f"projects/my-project/topics/results-{next(_numbers)}{ending}"
    pubsub.create(name)
    return name


def refusal(name: str) -> UnavailableError:
    """Return the error with which a message is not published."""
    with pytest.raises(UnavailableError) as caught:
        Topic(name).publish(LINE, MARKS)
    assert name in caught.value.message
    assert caught.value.reason == "UNAVAILABLE"
    return caught.value


@pytest.mark.parametrize("ending", ["", "_a.b~c+d", "%20x"])
def test_message_arrives_unchanged(pubsub: PubSub, ending: str) -> None:
    name = new_topic(pubsub, ending)
    Topic(name).publish(LINE, MARKS)
    assert pubsub.published(name) == [Message(LINE, MARKS)]


def test_many_threads_share_a_topic(pubsub: PubSub) -> None:
    name = new_topic(pubsub)
    topic = Topic(name)
    lines = [json.dumps({"number": number}).encode() for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda line: topic.publish(line, MARKS), lines))
    assert sorted(message.data for message in pubsub.published(name)) == sorted(lines)


def test_missing_topic_is_reported_with_advice(pubsub: PubSub) -> None:
    error = refusal("projects/my-project/topics/missing")
    assert "correct RESULT_TOPIC" in error.message
    assert "404" in str(error.__cause__)


@pytest.mark.parametrize(
    "fault",
    [Fault.TOO_MANY, Fault.INTERNAL, Fault.UNAVAILABLE, Fault.RESET, Fault.LOST_ANSWER, Fault.STALLED],
)
def test_passing_fault_is_retried(failing: FailingPubSub, fault: Fault) -> None:
    name = new_topic(failing)
    failing.fail(fault)
    Topic(name).publish(LINE, MARKS)
    assert failing.calls == 2
    taken = 2 if fault is Fault.LOST_ANSWER else 1  # it cannot be known
    assert failing.published(name) == [Message(LINE, MARKS)] * taken


@pytest.mark.parametrize("fault", Fault)
def test_lasting_fault_is_given_up_in_time(failing: FailingPubSub, fault: Fault) -> None:
    name = new_topic(failing)
    failing.fail(fault, lasting=True)
    refusal(name)
    hopeless = (Fault.FORBIDDEN, Fault.INVALID, Fault.NO_PUBSUB, Fault.UNAUTHENTICATED)
    assert (failing.calls == 1) == (fault in hopeless)
    failing.heal()
    Topic(name).publish(LINE, MARKS)


def test_missing_grant_is_reported_with_advice(failing: FailingPubSub) -> None:
    failing.fail(Fault.FORBIDDEN)
    assert "roles/pubsub.publisher" in refusal(new_topic(failing)).message


def test_unreachable_pubsub_is_unavailable(failing: FailingPubSub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    refusal("projects/my-project/topics/results")


def test_missing_credentials_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
    with pytest.raises(UnavailableError, match="credentials"):
        Topic("projects/my-project/topics/results")


class _Metadata(BaseHTTPRequestHandler):
    """Emulate Google's metadata server, as far as google.auth asks it for a token. Each token is different."""

    tokens = itertools.count(1)

    def do_GET(self) -> None:
        body, kind = b"", "text/html"
        if "/token" in self.path:
            body = json.dumps({"access_token": f"token-{next(self.tokens)}", "expires_in": 3600}).encode()
            kind = "application/json"
        elif "service-accounts" in self.path:
            body = json.dumps({"email": "http@example.org", "scopes": [], "aliases": ["default"]}).encode()
            kind = "application/json"
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_token_of_instance_is_renewed(failing: FailingPubSub, monkeypatch: pytest.MonkeyPatch) -> None:
    name = new_topic(failing)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for variable in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            monkeypatch.setenv(variable, f"127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.delenv("PUBSUB_EMULATOR_HOST")
        topic = Topic(name)
        place = urllib.parse.urlsplit(topic._url)
        assert (place.scheme, place.netloc) == ("https", "pubsub.googleapis.com")
        topic._url = place._replace(scheme="http", netloc=failing.host).geturl()  # the rest is as deployed
        topic.publish(LINE, MARKS)
        failing.fail(Fault.UNAUTHENTICATED)  # as when a token is withdrawn
        topic.publish(LINE, MARKS)
        server.shutdown()
    assert len(failing.published(name)) == 2
    first, second, third = failing.tokens
    assert first == second == "Bearer token-1"
    assert third == "Bearer token-2"
