"""Copy archived photos that are worth a look into `review/`: those that were corrected, and the least sure others."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from tqdm import tqdm

from ..errors import ExportError
from ..serving import FlowersError, Settings, upright_jpeg
from .archive import Archive, ArchivedPhoto, unavailable
from .documents import MAX_BYTES, read_correction, read_result
from .label_studio import write_tasks
from .page import PAGE, write_page
from .photo import Answer, Correction, ReviewPhoto, known_names, suggest

REVIEW = "review"
_SCHEMA = "flowers.review/v1"
_LIST = "photos.json"
_THREADS = 8

T = TypeVar("T")
R = TypeVar("R")


class Collected(NamedTuple):
    """Count the photos in `review/`, those copied just now, and those that could not be used."""

    page: Path
    photos: int
    corrected: int
    copied: int
    unusable: int


class _Read(NamedTuple):
    archived: ArchivedPhoto
    answer: Answer | None
    plant: str
    correction: Correction | None


def collect(archive: Archive, out: Path, least_sure: int, settings: Settings) -> Collected:
    """Copy all corrected photos and the `least_sure` others; write the page and Label Studio's files.

    What is in `review/` already stays and is not copied again. Raise `ExportError`.
    """
    review = out / REVIEW
    photos_folder = review / "photos"
    photos_folder.mkdir(parents=True, exist_ok=True)
    before = {photo["photo"]: photo for photo in read_review(out)} if (review / _LIST).exists() else {}
    chosen = _choose(_each(lambda found: _read(archive, found), archive.photos(), "read the results"), least_sure)

    def copy(read: _Read) -> bool | None:
        return _copy(archive, read.archived, photos_folder, settings.max_image_bytes)

    done = _each(copy, chosen, "copy photos")
    copied = [read for read, state in zip(chosen, done, strict=True) if state is not None]
    names = known_names(_labels_of(copied))
    photos = before | {read.archived.digest: _review_photo(read, names) for read in copied}
    listed = sorted(photos.values(), key=_order)
    document = json.dumps({"schema": _SCHEMA, "photos": listed}, ensure_ascii=False, indent=1)
    _write(review / _LIST, f"{document}\n".encode())
    write_page(review / PAGE, listed, names)
    write_tasks(review, listed, sorted(set(names.values())))
    corrected = sum(photo["correction"] is not None for photo in listed)
    return Collected(review / PAGE, len(listed), corrected, done.count(True), done.count(None))


def read_review(out: Path) -> list[ReviewPhoto]:
    """Return the photos of `review/`, corrected ones first. Raise `ExportError` if none were collected."""
    file = out / REVIEW / _LIST
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["schema"] == _SCHEMA:
            photos: list[ReviewPhoto] = document["photos"]
            return photos
    except FileNotFoundError:
        raise ExportError(
            f"{file} is missing. Collect photos first: python -m export collect --archive gs://BUCKET --out {out}"
        ) from None
    except (ValueError, KeyError, TypeError):
        pass
    raise ExportError(f"{file} is damaged. Delete it and collect again; photos that are copied are kept.")


def _read(archive: Archive, found: ArchivedPhoto) -> _Read:
    result = read_result(archive.read(found.result, MAX_BYTES)) if found.result else None
    answer, plant = result or (None, None)
    corrections = [read_correction(archive.read(stored, MAX_BYTES)) for stored in found.corrections]
    newest = max(filter(None, corrections), key=lambda correction: correction["corrected_at"], default=None)
    return _Read(found, answer, plant or found.digest, newest)


def _copy(archive: Archive, found: ArchivedPhoto, folder: Path, max_bytes: int) -> bool | None:
    """Return whether the photo was copied; None if it is no usable image, or gone."""
    file = folder / f"{found.digest}.jpg"
    if file.exists():
        return False
    data = archive.read(found.photo, max_bytes)
    if data is None:
        return None
    try:
        _write(file, upright_jpeg(data))
    except FlowersError as error:
        if error.code >= 500:
            raise unavailable(error) from error
        return None
    return True


def _choose(photos: Iterable[_Read], least_sure: int) -> list[_Read]:
    """Return the corrected photos, and of the others the `least_sure` ones with the lowest confidence."""
    corrected, others = [], []
    for read in photos:
        if read.correction:
            corrected.append(read)
        elif read.answer:
            others.append(read)
    others.sort(key=lambda read: (_confidence(read.answer), read.archived.digest))
    return corrected + others[:least_sure]


def _confidence(answer: Answer | None) -> float:
    return answer["predictions"][0][1] if answer else 0.0


def _labels_of(photos: Iterable[_Read]) -> list[str]:
    """Return the labels that the model has answered, and those that people have sent."""
    answered = [label for read in photos if read.answer for label, _ in read.answer["predictions"]]
    return answered + [read.correction["label"] for read in photos if read.correction and read.correction["label"]]


def _review_photo(read: _Read, names: dict[str, str]) -> ReviewPhoto:
    return {
        "photo": read.archived.digest,
        "uri": read.archived.photo.address.uri,
        "plant": read.plant,
        "answer": read.answer,
        "correction": read.correction,
        "suggestion": suggest(read.answer, read.correction, names),
    }


def _order(photo: ReviewPhoto) -> tuple[bool, float, str]:
    return photo["correction"] is None, _confidence(photo["answer"]), photo["photo"]


def _each(task: Callable[[T], R], items: Iterable[T], name: str) -> list[R]:
    """Return what `task` returns for each item, in their order, with a bar while it runs in threads."""
    items = list(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(tqdm(pool.map(task, items), name, len(items), unit=" photos", mininterval=1))


def _write(file: Path, data: bytes) -> None:
    partial = file.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(file)
