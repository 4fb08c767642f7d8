"""Proxies that the environment names: who is asked for what, and what travels through."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from millrace.gateway import Gateway
from tests.conformance.gateways import address, configuration, receiver_books
from tests.python.commands import Result, millrace

HOST = "collector.test"
"""Resolves nowhere: who reaches it was led there by a proxy."""


class Proxy:
    """What a proxy was asked for, and where it leads everybody."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.authorization: list[str | None] = []
        self.backend = ("127.0.0.1", 0)
        self.url = ""
        self.status = 200


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy for HTTP and for tunnels."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._note()
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_CONNECT(self) -> None:
            self._note()
            self.send_response(proxy.status)
            self.end_headers()
            if proxy.status == 200:
                with socket.create_connection(proxy.backend) as backend:
                    there = threading.Thread(target=pump, args=(self.connection, backend))
                    there.start()
                    pump(backend, self.connection)
                    there.join()
            self.close_connection = True

        def _note(self) -> None:
            proxy.asked.append(f"{self.command} {self.path}")
            proxy.authorization.append(self.headers["Proxy-Authorization"])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def pump(source: socket.socket, to: socket.socket) -> None:
    """Pass on what one side says until it has said everything."""
    with suppress(OSError):
        while data := source.recv(65_536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


@contextmanager
def secure_gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway with TLS under the name of the host; its authority is in `ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert(HOST)
    files = {"cert_file": str(folder / "server.pem"), "key_file": str(folder / "server.key")}
    issued.cert_chain_pems[0].write_to_path(files["cert_file"])
    issued.private_key_pem.write_to_path(files["key_file"])
    with Gateway(configuration({"nop": {}}, http={"tls": files}, grpc={"tls": files})) as gateway:
        yield gateway


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten spans."""
    path = tmp_path / "ten.otlp"
    millrace("gen", "--items", 10, "--output", path)
    return path


def send(file: Path, endpoint: str, *arguments: object, **environment: str) -> Result:
    """Send a file, with these variables and no other ones of proxies."""
    none = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"), "")
    return millrace("send", file, "--endpoint", endpoint, *arguments, "--json", environment=none | environment)


def test_a_request_over_http_is_relayed_by_its_full_url(proxy: Proxy, file: Path) -> None:
    with_password = proxy.url.replace("://", "://me:s3cret@")

    result = send(file, f"http://{HOST}:4318", HTTP_PROXY=with_password)

    assert (result.code, json.loads(result.out)["signals"]["traces"]["exported"]) == (0, 10)
    assert proxy.asked == [f"POST http://{HOST}:4318/v1/traces"]
    assert proxy.authorization == ["Basic " + base64.b64encode(b"me:s3cret").decode()]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_encrypted_request_passes_through_a_tunnel(proxy: Proxy, file: Path, tmp_path: Path, protocol: str) -> None:
    with secure_gateway(tmp_path) as gateway:
        proxy.backend = address(gateway, protocol.partition("/")[0])
        endpoint = f"https://{HOST}:4443"

        result = send(file, endpoint, "--protocol", protocol, "--ca-file", tmp_path / "ca.pem", https_proxy=proxy.url)

        assert result.code == 0
        assert receiver_books(gateway, "traces")["accepted"] == 10
    assert proxy.asked == [f"CONNECT {HOST}:4443"]


def test_grpc_without_tls_passes_through_the_tunnel_of_https(proxy: Proxy, file: Path) -> None:
    with Gateway(configuration({"nop": {}})) as gateway:
        proxy.backend = address(gateway, "grpc")

        result = send(file, f"http://{HOST}:4317", "--protocol", "grpc", HTTPS_PROXY=proxy.url)

        assert result.code == 0
        assert receiver_books(gateway, "traces")["accepted"] == 10
    assert proxy.asked == [f"CONNECT {HOST}:4317"]


def test_this_machine_and_hosts_of_no_proxy_are_reached_directly(proxy: Proxy, file: Path) -> None:
    with Gateway(configuration({"nop": {}})) as gateway:
        _, port = address(gateway, "http")
        for host in ("localhost", "127.0.0.1"):
            assert send(file, f"http://{host}:{port}", HTTP_PROXY=proxy.url).code == 0
    listed = send(file, f"http://{HOST}:4318", "--retry-for", 0, HTTP_PROXY=proxy.url, NO_PROXY="a.b, .test")

    assert listed.code == 3
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_named_and_its_password_is_not(proxy: Proxy, file: Path) -> None:
    proxy.status = 407

    result = send(file, f"https://{HOST}:4443", "--retry-for", 0, HTTPS_PROXY=proxy.url.replace("://", "://me:s3cret@"))

    assert result.code == 3
    assert "proxy authorization required" in result.err
    assert "s3cret" not in result.err


def test_a_proxy_that_is_not_reached_over_http_is_refused(file: Path) -> None:
    result = send(file, f"https://{HOST}:4443", HTTPS_PROXY="socks5://me:s3cret@127.0.0.1:1080")

    assert result.code == 1
    assert "must be reached over http://" in result.err
    assert "s3cret" not in result.err
