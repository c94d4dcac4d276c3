"""Talk to Cloud Storage. This module is slow to import: import it when needed.

Every call gives up after about `CALL_SECONDS`, retries included. An event takes a few calls, so a failure
is reported, and the event retried, well before the function's timeout, which infra/ sets.
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
    """Take up to `max_bytes` bytes, or raise `InputError`. A gzip-encoded object unpacks to any size."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the library writes nothing else
        if self.tell() + len(data) > self._max_bytes:
            raise InputError(
                "IMAGE_TOO_LARGE", f"The object unpacks to more than {self._max_bytes:,} bytes, the limit."
            )
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
    """List, read and write objects with the default credentials, or with none in the emulator at STORAGE_EMULATOR_HOST.

    The constructor and each method raise `UnavailableError` if Cloud Storage is unavailable or denies access.
    """

    def __init__(self) -> None:
        with _our_errors("a client"):
            self._client = storage.Client()

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections, which otherwise stay open for the next call."""
        self._client.close()

    def look_up(self, address: ObjectAddress) -> StoredObject | None:
        """Return the live generation of an object, or None if there is none."""
        blob = self._client.bucket(address.bucket).blob(address.name)
        try:
            with _our_errors(address.uri):
                blob.reload(timeout=_TIMEOUT, retry=_RETRY)
        except ObjectMissingError:
            return None
        return _stored(address, blob)

    def list_objects(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[StoredObject | str]:
        """Yield the live objects whose names begin with `prefix`, by name.

        With a `delimiter`, names that have it after the prefix are cut there. Each such beginning comes once, as a
        string, at the end. Raise `ObjectMissingError` if there is no such bucket.
        """
        with _our_errors(f"gs://{bucket}/{prefix}"):
            blobs = self._client.list_blobs(
                bucket, prefix=prefix, delimiter=delimiter or None, fields=_LISTED, timeout=_TIMEOUT, retry=_RETRY
            )
            for blob in blobs:
                yield _stored(ObjectAddress(bucket, blob.name), blob)
            yield from sorted(blobs.prefixes)

    def read(self, stored: StoredObject, max_bytes: int) -> bytes:
        """Read exactly this generation, and verify its checksum.

        Raise `ObjectMissingError` if it is gone or was overwritten. Raise `InputError`: IMAGE_TOO_LARGE for more than
        `max_bytes` bytes, UNDECODABLE_IMAGE if the content is not encoded as Content-Encoding says.
        """
        address = stored.address
        blob = self._client.bucket(address.bucket).blob(address.name, generation=stored.generation)

        def whole() -> bytes:
            # The library's own retry asks for the rest of a broken download, and then verifies no checksum.
            file = _Capped(max_bytes)
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
        """Write an object in place of the generation `expected` (0: none), and return its generation.

        Raise `PreconditionFailedError` if another generation is live. So may a retry after its own success.
        """
        blob = self._client.bucket(address.bucket).blob(address.name)
        blob.metadata, blob.cache_control = metadata, cache_control
        try:
            with _our_errors(address.uri):
                blob.upload_from_string(
                    data, content_type, if_generation_match=expected, timeout=_TIMEOUT, retry=_RETRY
                )
        except ObjectMissingError as error:
            raise UnavailableError("UNAVAILABLE", f"Bucket {address.bucket} not found. Create it.") from error
        return int(blob.generation)
