"""Cloud Storage; the one module that imports google.cloud.storage, which is slow to import: import it when needed.

Every call gives up after about `CALL_SECONDS`, retries included. An event takes a few calls, so that a fault is
reported (and the event sent again) well before the function's timeout, which infra/ sets.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound, PreconditionFailed, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from ..errors import InputError, UnavailableError
from .objects import ObjectAddress, ObjectMissingError, PreconditionFailedError, StoredObject

CALL_SECONDS = 20.0
# Seconds to connect, and between two pieces of an answer.
_TIMEOUT = (3.05, 8.0)
_RETRY = DEFAULT_RETRY.with_delay(initial=0.25, maximum=4.0, multiplier=2.0).with_timeout(CALL_SECONDS)

# What a listing says of each object; all of it would be some five times as much.
_LISTED = "items(name,generation,size,contentType,contentEncoding,metadata),prefixes,nextPageToken"


class _Capped(io.BytesIO):
    """Takes at most `most` bytes; more raise `InputError`. A gzip-encoded object unpacks to any size."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the library writes nothing else
        if self.tell() + len(data) > self._most:
            raise InputError("IMAGE_TOO_LARGE", f"The object unpacks to more than {self._most:,} bytes, the limit.")
        return super().write(data)


# What Cloud Storage says when it refuses for good, and what to do. Some messages name only one of the two words.
_FORBIDDEN = {
    ("customer-supplied", "CustomerEncryptionKey"): (
        "is encrypted with a customer-supplied key, which is not supported. Store it with a key of Cloud KMS, or none."
    ),
    ("requester pays", "userProjectMissing"): (
        "is in a bucket with requester pays, which is not supported. Switch that off, or copy the object."
    ),
    ("retention", "retentionPolicyNotMet"): (
        "cannot be replaced before its retention ends. Set RESULT_BUCKET to a bucket without a retention policy."
    ),
    ("-based hold", "objectUnderActiveHold"): (
        "cannot be replaced while it has a hold. Release the hold, or set RESULT_BUCKET to a bucket without holds."
    ),
}


def _forbidden(what: str, error: BadRequest | Forbidden) -> InputError | None:
    """Return the error of a call that Cloud Storage refuses for good, or None if it may succeed later."""
    told = f"{error} {error.response.text if error.response is not None else ''}".lower()
    for words, advice in _FORBIDDEN.items():
        if any(word.lower() in told for word in words):
            return InputError("OBJECT_NOT_ALLOWED", f"{what} {advice}")
    if isinstance(error, BadRequest):
        return InputError(
            "OBJECT_NOT_ALLOWED", f"{what} cannot be used: Cloud Storage calls the request invalid (400)."
        )
    return None


@contextmanager
def _our_errors(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise ObjectMissingError(what) from error
    except PreconditionFailed as error:
        raise PreconditionFailedError(what) from error
    except requests.exceptions.ContentDecodingError as error:
        message = "The object is not encoded as its Content-Encoding says. Upload it with the right one, or with none."
        raise InputError("UNDECODABLE_IMAGE", message) from error
    except (BadRequest, Forbidden) as error:
        raise _forbidden(what, error) or _unavailable(what) from error
    except (GoogleAPIError, GoogleAuthError, DataCorruption, requests.RequestException, OSError) as error:
        # The cause is for the log: it may name accounts and hosts.
        cause = error.cause if isinstance(error, RetryError) and error.cause else error
        raise _unavailable(what) from cause


def _unavailable(what: str) -> UnavailableError:
    return UnavailableError("UNAVAILABLE", f"Cloud Storage is unavailable for {what}. Retry later.")


def _stored(address: ObjectAddress, blob: storage.Blob) -> StoredObject:
    return StoredObject(
        address,
        blob.generation,
        blob.size or 0,
        blob.content_type or "",
        blob.content_encoding or "",
        blob.metadata or {},
    )


class Storage:
    """Lists, reads and writes objects with the credentials of the surroundings (or of STORAGE_EMULATOR_HOST: none).

    Making one, and each method, raises `UnavailableError` when Cloud Storage is out of reach or refuses.
    """

    def __init__(self) -> None:
        with _our_errors("a client"):
            self._client = storage.Client()

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections; without it they stay open for the next call."""
        self._client.close()

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """The live generation of an object, or None where there is none."""
        blob = self._client.bucket(address.bucket).blob(address.name)
        try:
            with _our_errors(address.uri):
                blob.reload(timeout=_TIMEOUT, retry=_RETRY)
        except ObjectMissingError:
            return None
        return _stored(address, blob)

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """The live objects whose names begin with `prefix`, by name.

        With a `delimiter`, a name that has it after the prefix stands for all names with the same beginning up to
        there: it comes once, as a text, and not in order. Raises `ObjectMissingError` when there is no such bucket.
        """
        with _our_errors(f"gs://{bucket}/{prefix}"):
            blobs = self._client.list_blobs(
                bucket, prefix=prefix, delimiter=delimiter or None, fields=_LISTED, timeout=_TIMEOUT, retry=_RETRY
            )
            for blob in blobs:
                yield _stored(ObjectAddress(bucket, blob.name), blob)
            yield from sorted(blobs.prefixes)

    def read(self, stored: StoredObject, most: int) -> bytes:
        """The bytes of exactly this generation, their checksum verified.

        Raises `ObjectMissingError` when it is gone or was overwritten, `InputError` (IMAGE_TOO_LARGE) for more than
        `most` bytes, of which no more are kept, and (UNDECODABLE_IMAGE) for what is not encoded as it claims to be.
        """
        address = stored.address
        blob = self._client.bucket(address.bucket).blob(address.name, generation=stored.generation)

        def whole() -> bytes:
            # The library's own retry asks for the rest of a broken download, and then verifies no checksum.
            file = _Capped(most)
            blob.download_to_file(file, timeout=_TIMEOUT, retry=None)
            return file.getvalue()

        with _our_errors(address.uri):
            data: bytes = _RETRY(whole)()
        return data

    def write(
        self,
        address: ObjectAddress,
        data: bytes,
        content_type: str,
        expected: int,
        metadata: Mapping[str, str] | None = None,
        cache_control: str | None = None,
    ) -> int:
        """Writes an object and returns its generation.

        `expected` is the generation that it replaces, 0 for none: where another one is live, nothing is written and
        `PreconditionFailedError` is raised, also when a retry meets its own success.
        """
        blob = self._client.bucket(address.bucket).blob(address.name)
        blob.metadata, blob.cache_control = metadata, cache_control
        try:
            with _our_errors(address.uri):
                blob.upload_from_string(
                    data, content_type, if_generation_match=expected, timeout=_TIMEOUT, retry=_RETRY
                )
        except ObjectMissingError as error:
            raise UnavailableError("UNAVAILABLE", f"There is no bucket {address.bucket} to write to.") from error
        return int(blob.generation)
