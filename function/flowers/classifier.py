"""Classify a photo: bytes → upright pixels → prediction → result document. No HTTP and no cloud here."""

import hashlib
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .documents import (
    RESULT_SCHEMA,
    ErrorDocument,
    ImageDocument,
    ModelDocument,
    Prediction,
    ResultDocument,
    Species,
    error_document,
    timestamp,
)
from .errors import FlowersError, ImageFacts, InputError
from .imaging.crop import Box, middle
from .imaging.decode import decode
from .imaging.memory import PixelBudget
from .model.outputs import Candidate, fuse, heatmap, margin, top_candidates
from .model.session import Model, Output
from .model.species import Catalogue
from .settings import Settings, SettingsError


class Source(NamedTuple):
    """Locate a stored image: `gs://` address, generation and size in bytes. All are None for a photo sent over HTTP."""

    uri: str | None = None
    generation: str | None = None
    size: int | None = None


NOT_STORED = Source()


def _image_document(data: bytes | None, facts: ImageFacts, source: Source) -> ImageDocument:
    document: ImageDocument = {
        "uri": source.uri,
        "generation": source.generation,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "bytes": source.size if data is None else len(data),
        "sha256": None if data is None else hashlib.sha256(data).hexdigest(),
    }
    if facts.truncated:
        document["truncated"] = True
    return document


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


class Reading(NamedTuple):
    """Hold the model's output for a photo, the photo's facts, the `area` that the maps cover, and the seconds taken."""

    image: ImageDocument
    area: Box
    output: Output
    started: float
    decode_seconds: float
    inference_seconds: float


def look(model: Model, pixels: NDArray[np.uint8]) -> Output:
    """Return the model's output for upright pixels, uint8 [H, W, 3].

    If the first look is unsure, a model may ask for a closer one: the logits are then the mean of both. Heat maps stay
    those of the first.
    """
    output = model.run(pixels[np.newaxis])
    closer = model.card.closer
    if closer is None or margin(output.logits[0]) >= closer.margin:
        return output
    second = model.run(middle(pixels, closer.fraction)[np.newaxis])
    mean: NDArray[np.float32] = np.mean((output.logits, second.logits), axis=0)
    return Output(mean, output.class_maps)


class Classifier:
    """Classify photos. Make one at startup; its methods may be called from many threads."""

    def __init__(self, settings: Settings, model: Model | None = None) -> None:
        """Take a loaded model, or load the settings' model.

        Raise `ModelError` if it cannot be served, `SettingsError` if the settings do not fit it. `default_top` is the
        number of predictions if a call does not say, `budget` the pixels that all calls hold together.
        """
        self.model = model or Model.load(settings.model_path)
        card = self.model.card
        # The default fits any model; a set value must fit this one.
        self.default_top = min(settings.top_k, len(card.labels))
        if settings.top_k not in (self.default_top, Settings.top_k):
            raise SettingsError(f"TOP_K={settings.top_k}: the model {card.name} has {len(card.labels)} classes")
        self._settings = settings
        self.budget = PixelBudget(settings.pixel_budget)
        self._catalogue = Catalogue()

    @property
    def identity(self) -> ModelDocument:
        """Return the model's name, version and digest, as every result quotes them."""
        card = self.model.card
        return {"name": card.name, "version": card.version, "sha256": card.sha256}

    def species(self) -> list[Species]:
        """Return all species that the model knows, in the order of its labels."""
        return [self._catalogue.find(label) for label in self.model.card.labels]

    def check_size(self, size: int) -> None:
        """Raise `InputError` (IMAGE_TOO_LARGE) if `size` exceeds the limit. Call it before reading the bytes."""
        if size > self._settings.max_image_bytes:
            raise InputError(
                "IMAGE_TOO_LARGE",
                f"The image has {size:,} bytes; the limit is {self._settings.max_image_bytes:,}. Scale it down.",
            )

    def classify(
        self,
        data: bytes,
        top: int | None = None,
        language: str | None = None,
        source: Source = NOT_STORED,
        heatmaps: bool = False,
    ) -> ResultDocument:
        """Classify an image file's bytes. Raise as `read` does."""
        return self.answer([self.read(data, source)], top, language, heatmaps)

    def read(self, data: bytes, source: Source = NOT_STORED) -> Reading:
        """Return what the model sees in an image file's bytes.

        Raise `InputError` for an invalid image and `UnavailableError` when overloaded.
        """
        started = perf_counter()
        self.check_size(len(data))
        decoded = decode(data, self.model.card.input_rule, self._settings.max_image_pixels, self.budget)
        decoded_at = perf_counter()
        output = look(self.model, decoded.pixels)
        inferred_at = perf_counter()
        image = _image_document(data, decoded.facts, source)
        return Reading(image, decoded.area, output, started, decoded_at - started, inferred_at - decoded_at)

    def answer(
        self, photos: Sequence[Reading], top: int | None = None, language: str | None = None, heatmaps: bool = False
    ) -> ResultDocument:
        """Return the result of one photo, or of several photos of one plant.

        `top` is the number of predictions (1 to the number of classes) and `language` that of their names; both
        default to the settings. `heatmaps` adds to each prediction a heat map of the first photo.
        """
        card = self.model.card
        temperature, reject_below = card.calibration(len(photos))
        if self._settings.reject_below is not None:
            reject_below = self._settings.reject_below
        logits = fuse(np.concatenate([photo.output.logits for photo in photos]), temperature)
        candidates = top_candidates(logits, card.labels, 1.0, top or self.default_top)
        predictions = [
            self._prediction(candidate, language or self._settings.default_language) for candidate in candidates
        ]
        first, best = photos[0], candidates[0]
        if heatmaps and first.output.class_maps is not None:
            for candidate, prediction in zip(candidates, predictions, strict=True):
                prediction["heatmap"] = heatmap(first.output.class_maps[0, ..., candidate.class_index], first.area)
        identified = best.confidence >= reject_below
        document: ResultDocument = {
            "schema": RESULT_SCHEMA,
            "identified": identified,
            "species": self._catalogue.find(best.label) if identified else None,
            "confidence": round(best.confidence, 4),
            "predictions": predictions,
            "image": first.image,
            "model": self.identity,
            "classified_at": timestamp(),
            "timing_ms": {
                "decode": _milliseconds(sum(photo.decode_seconds for photo in photos)),
                "inference": _milliseconds(sum(photo.inference_seconds for photo in photos)),
                "total": _milliseconds(perf_counter() - first.started),
            },
        }
        if len(photos) > 1:
            document["images"] = [photo.image for photo in photos]
        if heatmaps and first.output.class_maps is None:
            document["heatmap_absent"] = f"The model {card.name} has no output class_maps."
        return document

    def shown(self, document: ResultDocument, top: int | None = None, language: str | None = None) -> ResultDocument:
        """Return a result with its first `top` predictions, named in `language`; both default to the settings."""
        chosen = language or self._settings.default_language
        shown = document.copy()
        shown["predictions"] = [prediction.copy() for prediction in document["predictions"][: top or self.default_top]]
        for prediction in shown["predictions"]:
            prediction["name"] = self._catalogue.find(prediction["label"])["names"][chosen]
        return shown

    def _prediction(self, candidate: Candidate, language: str) -> Prediction:
        species = self._catalogue.find(candidate.label)
        return {
            "label": candidate.label,
            "scientific_name": species["scientific_name"],
            "name": species["names"][language],
            "confidence": round(candidate.confidence, 4),
            "family": species["family"],
        }


def image_error(error: FlowersError, data: bytes | None, source: Source = NOT_STORED) -> ErrorDocument:
    """Return the error document of an image; `data` is None if the image was not read."""
    facts = error.facts if isinstance(error, InputError) else ImageFacts()
    return error_document(error, _image_document(data, facts, source))
