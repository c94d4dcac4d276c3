"""Read the options of a request: how many predictions, in which language, with heat maps or not."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from werkzeug.datastructures import LanguageAccept

from ..errors import InputError
from ..model.species import LANGUAGES

_LANGUAGE_TAG = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{1,8})*", re.IGNORECASE)


class QueryOptions(NamedTuple):
    """Hold the options of a request. None stands for the settings' default."""

    top: int | None = None
    language: str | None = None
    heatmaps: bool = False


def read_options(parameters: Mapping[str, str], accepted: LanguageAccept, max_top: int) -> QueryOptions:
    """Return the options of a request; `accepted` are the languages of its `Accept-Language`.

    Raise `InputError` (INVALID_PARAMETER).
    """
    top, language = parameters.get("top"), parameters.get("lang")
    if top is not None and not (top.isascii() and top.isdigit() and len(top) < 10 and 1 <= int(top) <= max_top):
        raise InputError("INVALID_PARAMETER", f"top={top[:40]!r} is invalid. Use a whole number from 1 to {max_top}.")
    if language is not None and _known(language) is None:
        raise InputError("INVALID_PARAMETER", f"lang={language[:40]!r} is invalid. Use one of {', '.join(LANGUAGES)}.")
    wanted = [language] if language is not None else [tag for tag, quality in accepted if quality > 0]
    languages = [known for tag in wanted if (known := _known(tag))]
    return QueryOptions(
        None if top is None else int(top), languages[0] if languages else None, read_flag(parameters, "heatmap")
    )


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return whether a parameter that is 1 or 0, by default 0, is 1. Raise `InputError` (INVALID_PARAMETER)."""
    value = parameters.get(name, "0")
    if value not in ("0", "1"):
        raise InputError("INVALID_PARAMETER", f"{name}={value[:40]!r} is invalid. Use 1 or 0.")
    return value == "1"


def _known(tag: str) -> str | None:
    """Return the language of a tag like `es`, `es-MX` or `es_MX`, or None if names are not in it."""
    match = _LANGUAGE_TAG.fullmatch(tag)
    return match[1].lower() if match and match[1].lower() in LANGUAGES else None
