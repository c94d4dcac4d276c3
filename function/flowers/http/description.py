"""Describe this service: its health, its species, its OpenAPI document and its page."""

import json
from pathlib import Path
from typing import Any

from flask import Request

from .. import __version__
from ..classifier import Classifier
from ..model.species import LANGUAGES
from ..settings import Settings
from .page import load_page
from .responses import Answer

_OPENAPI = Path(__file__).parent / "openapi.json"


class Description:
    """Answer the requests that ask about the service, not about a photo."""

    def __init__(self, classifier: Classifier, settings: Settings) -> None:
        self._classifier = classifier
        self._settings = settings
        self._page = load_page(archived=settings.archive_bucket is not None)

    def overview(self, request: Request, paths: list[str]) -> Answer:
        """Return the page for a browser, and a short description for any other client."""
        if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
            return Answer(self._page.text, headers={**self._page.headers, "Vary": "Accept"})
        description = {
            "description": "Names the flower in a photograph. POST an image to /; /openapi.json has the details.",
            "status": "alive",
            "model": self._classifier.identity,
            "paths": paths,
        }
        return Answer(description, headers={"Vary": "Accept"})

    def health(self, _: Request) -> Answer:
        """Return the versions of code and model."""
        return Answer({"status": "ok", "version": __version__, "model": self._classifier.identity})

    def model_status(self, _: Request) -> Answer:
        """Return the model's status as TF Serving and KServe state it."""
        identity = self._classifier.identity
        version = {
            "version": identity["version"],
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return Answer({"name": identity["name"], "ready": True, "model_version_status": [version]})

    def species(self, _: Request) -> Answer:
        """Return all species that the model knows."""
        return Answer({"species": self._classifier.species()})

    def openapi(self, _: Request) -> Answer:
        """Return the OpenAPI document, with what depends on model and settings filled in."""
        document: dict[str, Any] = json.loads(_OPENAPI.read_text(encoding="utf-8"))
        document["info"]["version"] = __version__
        top = document["components"]["parameters"]["top"]["schema"]
        top["maximum"], top["default"] = len(self._classifier.model.card.labels), self._classifier.default_top
        document["components"]["parameters"]["model"]["schema"]["enum"] = [self._classifier.identity["name"]]
        lang = document["components"]["parameters"]["lang"]["schema"]
        lang["enum"], lang["default"] = LANGUAGES, self._settings.default_language
        document["components"]["schemas"]["Species"]["properties"]["names"]["required"] = LANGUAGES
        return Answer(document)
