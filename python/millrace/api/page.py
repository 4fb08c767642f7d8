"""The page: files that were built into the package, and its first file for every address that is one of its views."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["is_built", "routes"]

STATIC = Path(__file__).parent / "static"

_ABSENT = (
    "The page is not part of this installation: it is built from viewer/ by `make build`, and every wheel has it.\n"
    "The query APIs are here: /api/v1/openapi.json describes them.\n"
)
_FOREVER = "public, max-age=31536000, immutable"


class _HashedFiles(StaticFiles):
    """Files whose names change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = _FOREVER
        return answer


def is_built() -> bool:
    """Tell whether there is a page."""
    return (STATIC / "index.html").is_file()


def routes() -> list[BaseRoute]:
    """Return the routes, to be tried after all others."""
    found: list[BaseRoute] = []
    if (STATIC / "assets").is_dir():
        found.append(Mount("/assets", _HashedFiles(directory=STATIC / "assets")))
    return [*found, Route("/{path:path}", _page, methods=["GET"])]


async def _page(request: Request) -> Response:
    """A file at the top (such as the icon), or else the page, which reads the address by itself."""
    path = request.path_params["path"]
    if path.startswith(("api/", "jaeger/", "tempo/", "assets/")):
        return PlainTextResponse(f"nothing is at /{path[:200]}; /api/v1/openapi.json says what there is\n", 404)
    if not is_built():
        return PlainTextResponse(_ABSENT, 404)
    file = STATIC / path if path and "/" not in path and "\\" not in path else STATIC / "index.html"
    if not file.is_file():
        file = STATIC / "index.html"
    return FileResponse(file, headers={"cache-control": "no-cache"})
