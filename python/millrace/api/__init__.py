"""The query APIs and the page over a store: an ASGI application.

`/api/v1` is the API of the viewer; `/jaeger` and `/tempo` are those of Jaeger and Tempo, which are also served without
their prefix where the two do not contradict each other; everything else is the page.
"""

from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from millrace.api import (
    attributes,
    compare,
    jaeger,
    live,
    logs,
    metrics,
    openapi,
    page,
    sample,
    services,
    status,
    tempo,
    trace,
    traces,
)
from millrace.api.dispatch import route
from millrace.api.live import Feeds
from millrace.api.queries import Queries
from millrace.api.security import Guard
from millrace.api.source import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.routing import BaseRoute

__all__ = ["PREFIX", "application"]

PREFIX = "/api/v1"

ENDPOINTS = (
    *status.ENDPOINTS,
    *services.ENDPOINTS,
    *attributes.ENDPOINTS,
    *traces.ENDPOINTS,
    *trace.ENDPOINTS,
    *logs.ENDPOINTS,
    *metrics.ENDPOINTS,
    *compare.ENDPOINTS,
    *live.ENDPOINTS,
    *sample.ENDPOINTS,
)
"""The viewer's own API, in the order of its document."""


def application(
    source: Source,
    *,
    addresses: Mapping[str, str] | None = None,
    hosts: Iterable[str] = (),
    token: str | None = None,
    read_only: bool = False,
) -> Starlette:
    """Return the application over a store.

    Args:
        source: The store.
        addresses: Where this server receives and shows: `grpc`, `http` and `ui`, each `host:port`.
        hosts: Names besides those of the loopback interface by which it may be asked.
        token: What clients must know, where others than this machine can reach it.
        read_only: Nothing is received here, the store is only looked at.

    Returns:
        The application; `state.end_events` ends the streams of events, which otherwise keep a server from stopping.
    """
    queries = Queries(source)
    feeds = Feeds(queries)
    context: dict[str, Any] = {
        "addresses": dict(addresses or {}),
        "read_only": read_only,
        "started": status.now_s(),
        "feeds": feeds,
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> "AsyncIterator[None]":
        yield
        await feeds.close()
        queries.close()

    routes: list[BaseRoute] = [route(endpoint, queries, context, PREFIX) for endpoint in ENDPOINTS]
    routes.append(openapi.document_route(PREFIX, ENDPOINTS))
    routes += jaeger.routes(queries, context)
    routes += tempo.routes(queries, context)
    routes += page.routes()
    guard = Middleware(Guard, hosts=hosts, token=token)
    made = Starlette(routes=routes, middleware=[guard], lifespan=lifespan)
    made.state.end_events = feeds.close
    return made
