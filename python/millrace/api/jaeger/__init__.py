"""Jaeger's query APIs: v1, which Grafana and older pages read, and v3, which its own page reads."""

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute

from millrace.api.dispatch import route
from millrace.api.jaeger import v1, v3
from millrace.api.queries import Queries

__all__ = ["PREFIX", "routes"]

PREFIX = "/jaeger"


def routes(queries: Queries, context: Mapping[str, Any]) -> list[BaseRoute]:
    """Return the routes, below their prefix and without it."""
    return [
        route(endpoint, queries, context, prefix, api.refuse)
        for prefix in (PREFIX, "")
        for api in (v1, v3)
        for endpoint in api.ENDPOINTS
        if not (prefix == "" and endpoint.path == v1.TRACE_PATH)  # Tempo has the same path: see tempo/__init__.py
    ]
