"""The OpenAPI document of the viewer's API, written from the endpoints themselves."""

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from millrace.api import shapes
from millrace.api.dispatch import json_response
from millrace.api.endpoint import Endpoint, Parameter

__all__ = ["document", "document_route"]

_REFUSALS = {
    "400": "a parameter is wrong, or unknown",
    "401": "the token is missing",
    "403": "the server is not known by this name, or the request comes from another site",
    "404": "there is nothing of this id",
    "503": "the query took too long, or too many wait",
}


def document(prefix: str, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document."""
    from millrace._native import __version__  # noqa: PLC0415 - the APIs can be used without the engine

    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "millrace",
            "version": __version__,
            "description": "What the page of `millrace serve` reads. Times are nanoseconds since 1970 as text where "
            "they are exact, durations numbers of nanoseconds. Errors are `error`, a sentence.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {"Error": shapes.record({"error": shapes.TEXT})}},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "operationId": "_".join([endpoint.method.lower(), *re.findall(r"[a-z_]+", endpoint.path)]),
        "summary": endpoint.help,
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": {
            "200": {"description": "the answer", "content": {endpoint.media_type: {"schema": endpoint.shape}}},
            **{status: {"description": why, "content": refused} for status, why in _REFUSALS.items()},
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "description": parameter.help,
        "required": parameter.required or parameter.in_path,
        "schema": parameter.schema,
    }
    if parameter.repeated:
        described |= {"style": "form", "explode": True}
    return described


def document_route(prefix: str, endpoints: Sequence[Endpoint]) -> Route:
    """Return the route of the document."""

    async def answer(_: Request) -> Response:
        return json_response(document(prefix, endpoints))

    return Route(f"{prefix}/openapi.json", answer)
