"""Read prediction requests as TF Serving (REST), KServe (V1) and Vertex AI (custom containers) send them.

    {"instances": [{"b64": "…"}, {"image": {"b64": "…"}}, {"image_bytes": {"b64": "…"}}],
     "parameters": {"top": 3, "lang": "es"}}

TF Serving: https://www.tensorflow.org/tfx/serving/api_rest
KServe V1: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
Vertex AI: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import InputError
from .json_body import decode_base64, parse_json

_MAX_INSTANCES = 100
_SHAPE = '{"instances": [{"b64": "<base64>"}], "parameters": {"top": 5, "lang": "en"}}'


class PredictionRequest(NamedTuple):
    """Hold the images of a request in order, each as bytes or an error, and the parameters as texts."""

    images: list[bytes | InputError]
    parameters: Mapping[str, str]


def read_prediction_request(body: bytes) -> PredictionRequest:
    """Read the JSON body of a prediction request.

    Raise `InputError`: MALFORMED_REQUEST, INVALID_PARAMETER.
    """
    request = parse_json(body, _SHAPE)
    instances = request.get("instances") if isinstance(request, dict) else None
    if not isinstance(instances, list) or not 1 <= len(instances) <= _MAX_INSTANCES:
        raise InputError(
            "MALFORMED_REQUEST", f"The body should be JSON like {_SHAPE}, with 1 to {_MAX_INSTANCES} instances."
        )
    parameters = request.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InputError("MALFORMED_REQUEST", f"`parameters` should be an object, as in {_SHAPE}.")
    return PredictionRequest(
        [_image(instance) for instance in instances],
        {name: _text(name, parameters[name]) for name in ("top", "lang") if parameters.get(name) is not None},
    )


def _image(instance: Any) -> bytes | InputError:
    holder = instance
    if isinstance(instance, dict):
        holder = next((instance[name] for name in ("image", "image_bytes") if name in instance), instance)
    text = holder.get("b64") if isinstance(holder, dict) else None
    if not isinstance(text, str):
        return InputError("MALFORMED_REQUEST", f'Each instance should be like {{"b64": "<base64>"}}, as in {_SHAPE}.')
    try:
        return decode_base64(text)
    except InputError as error:
        return error


def _text(name: str, value: Any) -> str:
    # Vertex AI passes every number on as a float.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError("INVALID_PARAMETER", f"{name} should be a number or a text, but is {json.dumps(value)[:100]}.")
    return str(value)
