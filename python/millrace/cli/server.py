"""A gateway, a store and the page in one process: what `millrace serve` runs when it is given no configuration."""

import argparse
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from millrace.cli.codes import DONE, FAILED, INTERRUPTED
from millrace.cli.data_folder import folder_of, read_server, serving_here, write_server
from millrace.cli.extra import needed
from millrace.cli.terminal import Terminal
from millrace.errors import ConfigError, GatewayError, MillraceError, UnreachableError

if TYPE_CHECKING:
    from threading import Event

    from millrace.gateway import Gateway
    from millrace.store import Store

__all__ = ["configuration_of", "serve"]

_SIGNALS = ("traces", "metrics", "logs", "profiles")
_QUERY_MEMORY = "256MiB"
"""What all queries together may use; the gateway has a budget of its own."""
_COUNT_EVERY_S = 5
_PAGE_STOP_S = 2
"""How long the page's open connections may take to end."""


class Listening(NamedTuple):
    """Where the page will be: the socket is open before anything else starts, so that a taken port is known first."""

    socket: socket.socket
    url: str
    is_wide: bool


def serve(arguments: argparse.Namespace) -> int:
    """Run it, or attach to the one that runs already."""
    terminal = Terminal(arguments.color)
    with needed("serving with a store and a page"):
        import duckdb  # noqa: F401 - only to know now whether it is there
        import uvicorn  # noqa: F401 - the same

    folder = folder_of(arguments.data)
    with serving_here(folder) as is_first:
        if not is_first:
            return _attach(folder, arguments, terminal)
        listening = _listen(arguments.ui)
        token = arguments.token
        if token is None and listening.is_wide:
            import secrets

            token = secrets.token_urlsafe(24)

        def page(gateway: "Gateway") -> AbstractContextManager[None]:
            return _page(gateway, folder, listening, token, arguments, terminal)

        from millrace.cli.serve import run_gateway
        from millrace.gateway.config import load

        keeping: dict[str, Any] = {}
        if arguments.max_age is not None:
            keeping["max_age"] = f"{int(arguments.max_age * 1_000)}ms"
        if arguments.max_size is not None:
            keeping["max_size_mib"] = arguments.max_size
        wanted = configuration_of(folder, arguments.grpc, arguments.http, **keeping)
        try:
            configuration = load(wanted, overrides=arguments.overrides)
            return run_gateway(configuration, arguments, terminal, page)
        except (ConfigError, GatewayError) as error:
            raise MillraceError(_by_options(str(error))) from error


_OPTIONS = {
    "receivers.otlp.protocols.grpc.endpoint": "--grpc",
    "receivers.otlp.protocols.http.endpoint": "--http",
    "exporters.store.path": "--data",
}
"""What was said on the command line, by the setting of the configuration that it became."""


def _by_options(sentence: str) -> str:
    """Return a sentence about the configuration for somebody who has none, and has given options."""
    for setting, option in _OPTIONS.items():
        sentence = sentence.replace(f"{setting}:", f"{option}:")
    return sentence


def configuration_of(folder: Path, grpc: str, http: str, **keeping: object) -> dict[str, Any]:
    """Return the gateway's configuration: what comes in over both protocols is kept."""
    pipeline = {"receivers": ["otlp"], "exporters": ["store"]}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc}, "http": {"endpoint": http}}}},
        "exporters": {"store": {"path": str(folder), **keeping}},
        "service": {
            "pipelines": dict.fromkeys(_SIGNALS, pipeline),
            "telemetry": {"metrics": {"level": "none"}},  # port 8888 may be taken on a developer's machine
        },
    }


def _attach(folder: Path, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say who keeps the folder, and show what arrives there."""
    from millrace.cli.look import ServerApi
    from millrace.cli.tail import tail

    card = read_server(folder)
    if card is None:
        terminal.error(f"another process keeps {folder}, and has not said yet where it listens; try again in a moment")
        return FAILED
    try:
        terminal.say(f"{folder} is served already, by process {card['pid']}: attached to it")
        terminal.say(f"page at {_address(card['ui'], card.get('token'))}")
        for protocol in ("grpc", "http"):
            terminal.say(f"otlp/{protocol} listens on {card[protocol]}")
        terminal.say("what arrives follows; Ctrl-C ends this, not the server")
        code = tail(ServerApi(card["ui"], card.get("token")), "traces", 0, arguments, follow=True)
    except KeyboardInterrupt:
        return DONE
    return DONE if code == INTERRUPTED else code


def _listen(address: str) -> Listening:
    """Bind the page's address."""
    from millrace.api.security import is_loopback

    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit()):
        raise ValueError(f"--ui must be an address such as 127.0.0.1:4319, got {address!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None) or error
        why = str(why).partition(" (while")[0]  # Python adds the address, which is said already
        raise UnreachableError(f"cannot listen on {address}: {why}; --ui gives the page another address") from error
    number = listener.getsockname()[1]
    named = f"[{host}]" if ":" in host else host
    shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else named  # noqa: S104 - compared
    return Listening(listener, f"http://{shown}:{number}", not is_loopback(host))


def _address(url: str, token: str | None) -> str:
    return f"{url}/?token={token}" if token else url


def _count(store: "Store", is_over: "Event") -> None:
    """Count what services do, file by file as they come, so that the page need not wait for it."""
    while not is_over.wait(_COUNT_EVERY_S):
        with suppress(MillraceError):  # who asks for it will hear of it
            store.keep_activity(is_over.is_set)


@contextmanager
def _page(  # noqa: PLR0913, PLR0917 - what the page is made of
    gateway: "Gateway",
    folder: Path,
    listening: Listening,
    token: str | None,
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> Iterator[None]:
    """Serve page and APIs in a thread while the block runs."""
    import threading

    import uvicorn

    from millrace._native import __version__
    from millrace.api import application
    from millrace.store import Store

    addresses = {name: str(gateway.addresses[f"otlp/{name}"]) for name in ("grpc", "http")}
    addresses["ui"] = listening.url.removeprefix("http://")
    store = Store(folder, memory_limit=_QUERY_MEMORY)
    is_over = threading.Event()
    counting = threading.Thread(target=_count, args=(store, is_over), name="millrace-count", daemon=True)
    app = application(store, addresses=addresses, hosts=arguments.allow_host, token=token)

    # h11 and asyncio are pure Python and always there; nothing here is fast enough to need more.
    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await app.state.end_events()  # pages that watch would hold it up
            await super().shutdown(sockets)

    server = Server(
        uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_PAGE_STOP_S,
        )
    )
    thread = threading.Thread(target=server.run, args=([listening.socket],), name="millrace-page", daemon=True)
    thread.start()
    counting.start()
    card = {"pid": os.getpid(), "version": __version__, "ui": listening.url, "token": token}
    write_server(folder, card | {name: addresses[name] for name in ("grpc", "http")})
    if not arguments.quiet:
        terminal.say(f"page at {terminal.bold(_address(listening.url, token))}")
        terminal.say(f"what arrives is kept in {folder}; Ctrl-C stops")
    if arguments.open:
        import webbrowser

        webbrowser.open(_address(listening.url, token))
    try:
        yield
    finally:
        server.should_exit = True
        is_over.set()
        thread.join(_PAGE_STOP_S + 1)
