"""Read the settings once, from environment variables."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .cloud.objects import BUCKET_NAME, ObjectAddress
from .imaging.formats import IMAGE_ENDINGS
from .model.species import LANGUAGES

BUNDLED_MODEL = Path(__file__).parent / "model" / "flowers.onnx"

# https://cloud.google.com/pubsub/docs/create-topic#resource_names (2026); old projects have their domain in their ID.
_TOPIC_NAME = re.compile(r"projects/[a-z0-9](?:[a-z0-9.:-]*[a-z0-9])?/topics/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")

T = TypeVar("T")


class SettingsError(Exception):
    """Report an invalid setting. Startup fails, and the message names the variable."""


def _integer(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise ValueError
        return value

    return parse


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return parse


def _origin(text: str) -> str:
    if not re.fullmatch(r"\*|https?://[^\s/,]+", text):
        raise ValueError
    return text


def _bucket(text: str) -> str:
    if not BUCKET_NAME.fullmatch(text):
        raise ValueError
    return text


def _buckets(text: str) -> tuple[str, ...]:
    return tuple(_bucket(name.strip()) for name in text.split(","))


def _topic(text: str) -> str:
    if not _TOPIC_NAME.fullmatch(text):
        raise ValueError
    return text


def _suffix(text: str) -> str:
    # An extension that images have could not tell a result from an image.
    if not re.fullmatch(r"[._-][A-Za-z0-9._-]{0,62}[A-Za-z0-9]", text) or text.lower().endswith(IMAGE_ENDINGS):
        raise ValueError
    return text


def _model_file(text: str) -> Path | ObjectAddress:
    if text.startswith("gs://"):
        address = ObjectAddress.parse(text)
        if address is None:
            raise ValueError
        return address
    path = Path(text)
    if not path.is_file():
        raise ValueError
    return path


@dataclass(frozen=True)
class Settings:
    """Hold the operator's choices. `from_environment` reads and checks the variables.

    `reject_below` is a confidence 0..1, or None for the model's own threshold.
    """

    model_path: Path | ObjectAddress = BUNDLED_MODEL
    top_k: int = 5
    default_language: str = "en"
    max_image_bytes: int = 32 * 1024 * 1024
    max_image_pixels: int = 250_000_000
    pixel_budget: int = 52_000_000
    reject_below: float | None = None
    result_suffix: str = ".json"
    result_bucket: str | None = None
    allowed_buckets: tuple[str, ...] = ()
    result_topic: str | None = None
    archive_bucket: str | None = None
    archive_metadata: str = "remove"
    cors_allow_origin: str | None = None
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read settings from environment variables. An unset or empty one keeps its default.

        Raise `SettingsError` with the variable, its value and what it should be.
        """

        def read(name: str, parse: Callable[[str], T], default: T, wanted: str) -> T:
            text = environment.get(name, "").strip()
            if not text:
                return default
            try:
                return parse(text)
            except (OSError, ValueError):
                raise SettingsError(f"{name}={text!r}: should be {wanted}") from None

        for name in ("WORKERS", "THREADS"):  # functions-framework's own
            read(name, _integer(1), 1, "a whole number from 1")
        levels = [level for level in logging.getLevelNamesMapping() if level != "NOTSET"]
        return cls(
            model_path=read("MODEL_PATH", _model_file, cls.model_path, "the path of an ONNX file, or gs://bucket/name"),
            top_k=read("TOP_K", _integer(1), cls.top_k, "a whole number from 1"),
            default_language=read(
                "DEFAULT_LANGUAGE", _one_of(*LANGUAGES), cls.default_language, f"one of {', '.join(LANGUAGES)}"
            ),
            max_image_bytes=read("MAX_IMAGE_BYTES", _integer(1), cls.max_image_bytes, "a whole number of bytes"),
            max_image_pixels=read("MAX_IMAGE_PIXELS", _integer(1), cls.max_image_pixels, "a whole number of pixels"),
            pixel_budget=read("PIXEL_BUDGET", _integer(1), cls.pixel_budget, "a whole number of pixels"),
            reject_below=read("REJECT_BELOW", _share, cls.reject_below, "a number from 0 to 1"),
            result_suffix=read(
                "RESULT_SUFFIX",
                _suffix,
                cls.result_suffix,
                "an extension like .json that no image has, so that a result is never taken for an image",
            ),
            result_bucket=read("RESULT_BUCKET", _bucket, cls.result_bucket, "the name of a bucket, without gs://"),
            result_topic=read(
                "RESULT_TOPIC",
                _topic,
                cls.result_topic,
                "a topic as projects/my-project/topics/results",
            ),
            allowed_buckets=read(
                "ALLOWED_BUCKETS", _buckets, cls.allowed_buckets, "bucket names separated by commas, without gs://"
            ),
            archive_bucket=read("ARCHIVE_BUCKET", _bucket, cls.archive_bucket, "the name of a bucket, without gs://"),
            archive_metadata=read(
                "ARCHIVE_METADATA", _one_of("remove", "keep"), cls.archive_metadata, "remove or keep"
            ),
            cors_allow_origin=read("CORS_ALLOW_ORIGIN", _origin, cls.cors_allow_origin, "an origin or *"),
            log_level=read("LOG_LEVEL", _one_of(*levels), cls.log_level, f"one of {', '.join(levels)}"),
        )
