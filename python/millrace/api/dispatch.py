"""From a request to an endpoint's answer: reads parameters, waits, gives up with the client, says errors as text."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from millrace.api.endpoint import Call, Endpoint, Fault
from millrace.api.queries import BusyError, Queries, until_gone
from millrace.errors import MillraceError

__all__ = ["ErrorForm", "error", "json_response", "route"]

_LOG = logging.getLogger("millrace.api")
_CLIENT_GONE = 499


def json_response(content: object, status: int = 200, media_type: str = "application/json") -> Response:
    """Answer with JSON. Numbers that JSON does not have, such as NaN, must have become null or text before."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A surrogate half, which a client can smuggle in through JSON, has no bytes in UTF-8.
    return Response(text.encode("utf-8", "replace"), status, media_type=media_type)


def error(sentence: str, status: int) -> Response:
    """Answer that it did not work, and why."""
    return json_response({"error": sentence}, status)


ErrorForm: TypeAlias = Callable[[str, int], Response]
"""How an API says what went wrong: a sentence and a status to an answer."""


def route(
    endpoint: Endpoint, queries: Queries, context: Mapping[str, Any], prefix: str = "", refuse: ErrorForm = error
) -> Route:
    """Make a route of an endpoint."""

    async def answer(request: Request) -> Response:
        try:
            call = Call(request, queries, endpoint.read(request), context)
        except Fault as fault:
            return refuse(fault.sentence, fault.status)
        return await _answer(endpoint, call, refuse)

    name = f"{endpoint.method.lower()} {prefix}{endpoint.path}"
    return Route(prefix + endpoint.path, answer, methods=[endpoint.method], name=name)


async def _answer(endpoint: Endpoint, call: Call, refuse: ErrorForm) -> Response:
    working = asyncio.ensure_future(endpoint.answer(call))
    leaving = asyncio.ensure_future(until_gone(call.request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return Response(status_code=_CLIENT_GONE)
        found = working.result()
        return found if isinstance(found, Response) else json_response(found, media_type=endpoint.media_type)
    except Fault as fault:
        return refuse(fault.sentence, fault.status)
    except BusyError:
        return refuse("too many queries are waiting; try again in a moment", 503)
    except MillraceError as failure:
        return refuse(str(failure), 503)
    except Exception:  # noqa: BLE001 - a defect is logged and answered like everything else
        _LOG.exception("%s %s failed", endpoint.method, endpoint.path)
        return refuse("this is a defect of millrace; its log says more", 500)
    finally:
        working.cancel()
        leaving.cancel()
