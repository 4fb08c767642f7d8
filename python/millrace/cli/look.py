"""How commands look into a store: they ask a running server, or open the files and answer by the same API."""

import argparse
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from millrace.cli.arguments import Parser
from millrace.cli.data_folder import add_data, folder_of, read_server
from millrace.errors import MillraceError, UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Api", "LookError", "add_source", "open_api", "read_all"]

_TIMEOUT_S = 60.0
_PAGE = 1_000


class LookError(MillraceError):
    """A question that was not answered, with the reason that was given."""


class Api(Protocol):
    """The viewer's API."""

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Return an answer."""
        ...

    def follow(self, path: str, parameters: Mapping[str, Any], show: Callable[[str, str], None]) -> None:
        """Show every server-sent event, by kind and data, until interrupted."""
        ...


def add_source(parser: Parser) -> None:
    """Add what every command has that looks into a store: `--data` and `--server`."""
    add_data(parser)
    parser.add_argument("--server", metavar="URL", help="ask this server, such as http://127.0.0.1:4319")
    parser.add_argument("--token", metavar="TOKEN", help="the token that the server asks for")


def open_api(arguments: argparse.Namespace) -> Api:
    """Return the API of the server that is named, of the server of the folder, or of the folder itself.

    Raises:
        MillraceError: The extra is not installed, or there is no store.
    """
    if arguments.server:
        return ServerApi(arguments.server.rstrip("/"), arguments.token)
    folder = folder_of(arguments.data)
    if card := read_server(folder):
        return ServerApi(card["ui"], arguments.token or card.get("token"))
    return FolderApi(folder)


def read_all(api: Api, path: str, parameters: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Read pages until there are enough items, or no more."""
    items: list[dict[str, Any]] = []
    cursor = None
    while len(items) < limit:
        asked = {**parameters, "limit": min(_PAGE, limit - len(items)), "cursor": cursor}
        page = api.get(path, asked)
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    return items


def _query(parameters: Mapping[str, Any] | None) -> str:
    from urllib.parse import urlencode

    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    return urlencode(given, doseq=True)


def _answer(status: int, body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read an answer, or raise the sentence of an error."""
    try:
        found = json.loads(body)
    except ValueError:
        found = {"error": f"the server answered {status} with something that is not JSON"}
    if status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
        raise LookError(str(found.get("error", f"the server answered {status}")))
    return found


class ServerApi:
    """The API of a running server."""

    def __init__(self, url: str, token: str | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise LookError(f"--server must be a URL such as http://127.0.0.1:4319, got {url!r}")
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def _open(self, path: str, parameters: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - a response of urllib
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        address = f"{self._url}/api/v1{path}?{_query(parameters)}"
        try:
            return urlopen(Request(address, headers=self._headers), timeout=_TIMEOUT_S)  # noqa: S310 - checked above
        except HTTPError as error:
            with error:
                return _answer(error.code, error.read())
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            why = getattr(reason, "strerror", None) or reason
            raise UnreachableError(f"no server answers at {self._url}: {why}") from error

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Return an answer."""
        with self._open(path, parameters) as answer:
            return _answer(answer.status, answer.read())

    def follow(self, path: str, parameters: Mapping[str, Any], show: Callable[[str, str], None]) -> None:
        """Show every event until interrupted, or until the server ends."""
        reader = _EventReader(show)
        with self._open(path, parameters) as answer:
            for line in answer:
                reader.read(line)


class FolderApi:
    """The API over the files of a folder, in this process."""

    def __init__(self, folder: "Path") -> None:
        from millrace.cli.extra import needed

        with needed("looking into a store"):
            from millrace.api import application
            from millrace.store import Store
        self._application = application(Store(folder), read_only=True)

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Return an answer."""
        import asyncio

        body = bytearray()
        status = asyncio.run(self._call(path, parameters, body.extend))
        return _answer(status, bytes(body))

    def follow(self, path: str, parameters: Mapping[str, Any], show: Callable[[str, str], None]) -> None:
        """Show every event until interrupted."""
        import asyncio

        reader = _EventReader(show)
        asyncio.run(self._call(path, parameters, reader.read))

    async def _call(self, path: str, parameters: Mapping[str, Any] | None, take: Callable[[bytes], object]) -> int:
        """Ask the application as a server would, without one."""
        import asyncio

        status = 500
        is_asked = False

        async def receive() -> dict[str, Any]:
            nonlocal is_asked
            if is_asked:
                await asyncio.Event().wait()  # the client never goes
            is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - a message of ASGI
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif body := message.get("body"):
                take(body)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/v1{path}",
            "raw_path": f"/api/v1{path}".encode(),
            "root_path": "",
            "query_string": _query(parameters).encode(),
            "headers": [(b"host", b"localhost")],
            "server": ("localhost", 80),
            "client": ("localhost", 0),
        }
        await self._application(scope, receive, send)
        return status


class _EventReader:
    """Reads server-sent events out of pieces of a stream."""

    def __init__(self, show: Callable[[str, str], None]) -> None:
        self._show = show
        self._rest = b""
        self._kind = "message"

    def read(self, piece: bytes) -> None:
        """Take a piece, and show the events that it completes."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            name, _, value = line.decode().partition(": ")
            if name == "event":
                self._kind = value
            elif name == "data":
                self._show(self._kind, value)
                self._kind = "message"
