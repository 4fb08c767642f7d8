"""Serves one page of metrics over HTTP, to a handful of clients: scrapes come at intervals of seconds."""

import gzip
import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any

__all__ = ["MetricsServer"]

_log = logging.getLogger("millrace.sdk.metrics")

_CONNECTIONS_MAX = 8
_PATIENCE_S = 10.0  # for one client to say what it wants, and to take it
_GZIP_BYTES_MIN = 1024
_PATHS = frozenset({"/", "/metrics"})

Exposition = Callable[[str], tuple[str, bytes]]


class MetricsServer:
    """Answers `GET /metrics` from a daemon thread.

    Args:
        host: Where to listen.
        port: The same; 0 is any free one.
        exposition: Returns the content type and the page for an `Accept` header.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(self, host: str, port: int, exposition: Exposition) -> None:
        handler = type("Handler", (_Handler,), {"exposition": staticmethod(exposition)})
        self._server = _Server((host, port), handler)
        self.address: tuple[str, int] = self._server.server_address[:2]  # type: ignore[assignment] # it is TCP
        Thread(target=self._server.serve_forever, name="millrace-prometheus", daemon=True).start()

    def close(self) -> None:
        """Stop, and give the port back."""
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Let go of the socket in a forked child, whose parent goes on serving."""
        self._server.socket.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            import socket  # noqa: PLC0415 - loaded with http.server

            self.address_family = socket.AF_INET6
        self._places = BoundedSemaphore(_CONNECTIONS_MAX)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - a socket and its peer
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as above
        _log.debug("A scrape was broken off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    exposition: Exposition
    timeout = _PATIENCE_S
    server_version = "millrace"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] not in _PATHS:
            self.send_error(404, "Not Found", "Metrics are at /metrics")
            return
        try:
            content_type, body = self.exposition(self.headers.get("Accept", ""))
        except Exception:  # noqa: BLE001 - callbacks of the program are called
            _log.exception("The metrics could not be collected for a scrape")
            self.send_error(500, "Internal Server Error", "The metrics could not be collected; the log says why")
            return
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Vary", "Accept, Accept-Encoding")
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) >= _GZIP_BYTES_MIN:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as http.server's
        _log.debug(format, *args)
