"""Answer requests with photos in them: decode the request, classify, publish, archive."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Request

from ..classifier import Classifier, Reading, Source, image_error
from ..cloud.clients import Cloud
from ..cloud.objects import ObjectAddress, ObjectMissingError
from ..documents import RESULT_SCHEMA, ErrorDocument, ResultDocument, Timing, error_document, without_heatmaps
from ..errors import FlowersError, InputError, UnavailableError, with_cause
from ..log import result_fields
from ..results.archive import Archive
from ..results.publisher import Publisher
from ..results.writer import ResultWriter
from ..settings import Settings
from .options import QueryOptions, read_flag, read_options
from .requests import ImageReader
from .responses import NOTHING_TIMED, Answer, refuse, request_id_of, with_request_id
from .work import RequestWork

# More photos hardly make an answer surer.
_MAX_FUSED_PHOTOS = 5

logger = logging.getLogger(__name__)


class Classification:
    """Answer the requests that ask about photos."""

    def __init__(self, classifier: Classifier, settings: Settings, cloud: Cloud) -> None:
        self._classifier = classifier
        self._cloud = cloud
        self._writer = ResultWriter(classifier, settings, cloud)
        bucket = settings.archive_bucket
        self._archive = Archive(bucket, settings, cloud, classifier.budget) if bucket else None
        self._publisher = Publisher(cloud, classifier.identity["version"]) if cloud.open_topic else None
        self._settings = settings
        self._images = ImageReader(settings.max_image_bytes)

    def classify(self, request: Request) -> Answer:
        """Return the document of each photo in a request. Raise `FlowersError` for a request without any."""
        options = self._options(request, request.args)
        answer = with_request_id(self._classify(request, self._complete(options)), request_id_of(request))
        body: Any = answer.body
        shown = self._record(body.get("results", [body]), options)
        return answer._replace(body={"results": shown} if "results" in body else shown[0])

    def predict(self, request: Request) -> Answer:
        """Return the predictions of each instance, as TF Serving and KServe do. Raise `FlowersError`."""
        from .predict import read_prediction_request

        with self._images.read(request, read_prediction_request) as (images, parameters):
            options = self._options(request, parameters)
            documents, timing = self._classify_each(images, self._complete(options))
        answer = with_request_id(Answer({"predictions": documents}, timing=timing), request_id_of(request))
        return answer._replace(body={"predictions": self._record(documents, options)})

    def _classify(self, request: Request, options: QueryOptions) -> Answer:
        fused = read_flag(request.args, "fuse")
        with self._images.images(request) as images:
            if fused:
                return self._classify_plant(images, options)
            if isinstance(images, ObjectAddress):
                return self._classify_stored(images, options)
            return self._classify_images(images, options)

    def _classify_images(self, images: Sequence[bytes], options: QueryOptions) -> Answer:
        if len(images) == 1:
            try:
                document = self._classify_sent(images[0], options)
            except FlowersError as error:
                return refuse(error, image_error(error, images[0]))
            return Answer(document, timing=document["timing_ms"])
        results, timing = self._classify_each(images, options)
        return Answer({"results": results}, timing=timing)

    def _classify_plant(self, images: list[bytes] | ObjectAddress, options: QueryOptions) -> Answer:
        """Answer with one result for several photos of one plant."""
        count = 1 if isinstance(images, ObjectAddress) else len(images)
        if isinstance(images, ObjectAddress) or not 2 <= count <= _MAX_FUSED_PHOTOS:
            raise InputError(
                "INVALID_PARAMETER",
                f"fuse=1 takes 2 to {_MAX_FUSED_PHOTOS} parts named `image`, but the request has {count}.",
            )
        photos: list[Reading] = []
        work = RequestWork(self._settings.max_image_pixels)
        for number, data in enumerate(images, 1):
            try:
                work.check()
                photos.append(self._classifier.read(data))
                work.add(photos[-1].image)
            except FlowersError as error:
                faulty = image_error(error, data)
                faulty["error"]["message"] = f"Photo {number} of {count}: {error.message}"
                return refuse(error, faulty)
        document = self._classifier.answer(photos, *options)
        if self._archive:
            for data, photo in zip(images, photos, strict=True):
                self._archive.keep(data, {**self._as_stored(document), "image": photo.image})
        return Answer(document, timing=document["timing_ms"])

    def _classify_each(
        self, images: Sequence[bytes | InputError], options: QueryOptions
    ) -> tuple[list[ResultDocument | ErrorDocument], Timing]:
        """Return the document of each image, in order, and the time that all took together."""
        results: list[ResultDocument | ErrorDocument] = []
        timing = NOTHING_TIMED
        work = RequestWork(self._settings.max_image_pixels)
        for data in images:
            if isinstance(data, InputError):
                results.append(error_document(data))
                continue
            try:
                work.check()
                document = self._classify_sent(data, options)
            except FlowersError as error:
                results.append(image_error(error, data))
                if error.reason == "IMAGE_TOO_LARGE":  # it was not decoded
                    continue
            else:
                results.append(document)
                timing = _sum(timing, document["timing_ms"])
            work.add(results[-1]["image"])
        return results, timing

    def _classify_sent(self, data: bytes, options: QueryOptions) -> ResultDocument:
        document = self._classifier.classify(data, options.top, options.language, heatmaps=options.heatmaps)
        if self._archive:
            self._archive.keep(data, self._as_stored(document))
        return document

    def _classify_stored(self, address: ObjectAddress, options: QueryOptions) -> Answer:
        source = Source(address.uri)
        try:
            if address.bucket not in self._settings.allowed_buckets:
                raise InputError(
                    "BUCKET_NOT_ALLOWED",
                    f"Bucket {address.bucket} is not allowed here. Send the image's bytes.",
                )
            image = self._cloud.storage.look_up(address)
            if image is None:
                raise _not_found(address)
            source = Source(address.uri, str(image.generation), image.size)
            try:
                document = self._writer.classify(image, *options)
            except ObjectMissingError:
                raise _not_found(address) from None
        except FlowersError as error:
            if isinstance(error, UnavailableError) and error.__cause__:
                logger.warning(with_cause(error))
            return refuse(error, image_error(error, None, source))
        if document["schema"] == RESULT_SCHEMA:
            return Answer(document, timing=document["timing_ms"])
        return Answer(document, document["error"]["code"])

    def _options(self, request: Request, parameters: Mapping[str, str]) -> QueryOptions:
        return read_options(parameters, request.accept_languages, len(self._classifier.model.card.labels))

    def _complete(self, options: QueryOptions) -> QueryOptions:
        """Return the options of a document from which both the answer and what is stored can be made."""
        return options._replace(top=max(options.top or 0, self._classifier.default_top), language=None)

    def _as_stored(self, document: ResultDocument) -> ResultDocument:
        """Return a result as an upload gets it, whatever the caller's `top`, `lang` and `heatmap`."""
        return self._classifier.shown(without_heatmaps(document))

    def _record(
        self, documents: Sequence[ResultDocument | ErrorDocument], options: QueryOptions
    ) -> list[ResultDocument | ErrorDocument]:
        """Log and publish complete documents. Return them with the caller's `top` and `lang`."""
        shown: list[ResultDocument | ErrorDocument] = []
        for document in documents:
            if document["schema"] == RESULT_SCHEMA:
                fields = result_fields(document)
                logger.info("classified: %s %s", fields["label"], fields["confidence"], extra={"fields": fields})
                shown.append(self._classifier.shown(document, options.top, options.language))
            else:
                shown.append(document)
            if self._publisher:
                self._publisher.publish(self._as_stored(document) if document["schema"] == RESULT_SCHEMA else document)
        return shown


def _not_found(address: ObjectAddress) -> InputError:
    return InputError("NOT_FOUND", f"Object {address.uri} not found. Check the address.")


def _sum(one: Timing, other: Timing) -> Timing:
    return {
        "decode": one["decode"] + other["decode"],
        "inference": one["inference"] + other["inference"],
        "total": one["total"] + other["total"],
    }
