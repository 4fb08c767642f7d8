"""TLS on both sides of a gateway: stock clients reach it, it reaches another, and strangers are turned away."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import BadStatusLine, HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import address, configuration, to_grpc, to_http, wait_until
from tests.conformance.messages import GRPC_PATHS, HTTP_PATHS, SIGNALS, request
from tests.conformance.sink import Sink

BODY = request("traces", 2).SerializeToString()


class Authority:
    """A certificate authority with a server and a client, in files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.server = self.issue("server", "localhost", "127.0.0.1")
        self.client = self.issue("client", "client.example")

    def issue(self, name: str, *identities: str) -> dict[str, str]:
        """Issue a certificate into files of that name."""
        certificate = self.authority.issue_cert(*identities)
        files = {"cert_file": str(self.folder / f"{name}.pem"), "key_file": str(self.folder / f"{name}.key")}
        Path(files["cert_file"]).write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(files["key_file"])
        return files


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that everybody trusts."""
    return Authority(tmp_path_factory.mktemp("tls") / "trusted")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("tls") / "stranger")


def serving(exporters: dict[str, Any], tls: dict[str, str]) -> Gateway:
    """A gateway that is reached over TLS."""
    return Gateway(configuration(exporters, grpc={"tls": tls}, http={"tls": tls}))


@pytest.fixture
def open_to_all(sink: Sink, trusted: Authority) -> Iterator[Gateway]:
    """A gateway with TLS."""
    with serving({"otlp": to_grpc(sink.grpc_url)}, trusted.server) as gateway:
        yield gateway


@pytest.fixture
def demanding(sink: Sink, trusted: Authority) -> Iterator[Gateway]:
    """A gateway that demands a certificate of its clients."""
    with serving({"otlp": to_grpc(sink.grpc_url)}, trusted.server | {"client_ca_file": trusted.ca_file}) as gateway:
        yield gateway


def post(gateway: Gateway, ca: Authority, client: dict[str, str] | None = None) -> int:
    """Send traces over HTTPS; the status of the answer."""
    context = ssl.create_default_context(cafile=ca.ca_file)
    if client:
        context.load_cert_chain(client["cert_file"], client["key_file"])
    with closing(HTTPSConnection(*address(gateway, "http"), context=context, timeout=10)) as connection:
        connection.request("POST", HTTP_PATHS["traces"], BODY, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        return response.status


def call(gateway: Gateway, ca: Authority, client: dict[str, str] | None = None) -> None:
    """Send traces over gRPC with TLS."""
    files = [Path(ca.ca_file)]
    files += [Path(client["key_file"]), Path(client["cert_file"])] if client else []
    credentials = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
    with grpc.secure_channel(str(gateway.addresses["otlp/grpc"]), credentials) as channel:
        export = channel.unary_unary(GRPC_PATHS["traces"], request_serializer=bytes, response_deserializer=bytes)
        assert export(BODY, timeout=10) == b""


def test_stock_clients_reach_a_gateway_over_tls(open_to_all: Gateway, sink: Sink, trusted: Authority) -> None:
    assert post(open_to_all, trusted) == 200
    call(open_to_all, trusted)

    assert sink.names("traces") == ["a0", "a1"] * 2


def test_a_client_that_does_not_trust_the_gateway_sends_nothing(
    open_to_all: Gateway, sink: Sink, stranger: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        post(open_to_all, stranger)

    assert sink.arrivals == []


def test_plain_text_to_a_port_with_tls_is_no_request(open_to_all: Gateway, sink: Sink) -> None:
    with pytest.raises((BadStatusLine, ConnectionError)):
        doors.http(open_to_all, "traces", BODY)

    assert sink.arrivals == []


def test_a_client_with_a_certificate_of_the_authority_is_let_in(
    demanding: Gateway, sink: Sink, trusted: Authority
) -> None:
    assert post(demanding, trusted, trusted.client) == 200
    call(demanding, trusted, trusted.client)

    assert sink.names("traces") == ["a0", "a1"] * 2


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
def test_a_client_without_a_certificate_of_the_authority_is_not(
    demanding: Gateway, sink: Sink, trusted: Authority, stranger: Authority, who: str
) -> None:
    client = stranger.client if who == "a stranger" else None
    with pytest.raises((ssl.SSLError, ConnectionError)):
        post(demanding, trusted, client)
    with pytest.raises(grpc.RpcError):
        call(demanding, trusted, client)

    assert sink.arrivals == []


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_gateway_reaches_another_with_mutual_tls(
    demanding: Gateway, sink: Sink, trusted: Authority, protocol: str
) -> None:
    tls = {"ca_file": trusted.ca_file} | trusted.client
    kind, exporter = ("otlp", to_grpc) if protocol == "grpc" else ("otlphttp", to_http)
    to = exporter(f"https://{demanding.addresses[f'otlp/{protocol}']}") | {"tls": tls}
    with Gateway(configuration({kind: to})) as first:
        for signal in SIGNALS:
            assert doors.http(first, signal, request(signal, 3).SerializeToString()).error is None

    assert [len(sink.names(signal)) for signal in SIGNALS] == [3, 3, 3, 3]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_gateway_sends_nothing_to_a_destination_it_does_not_trust(
    open_to_all: Gateway, sink: Sink, stranger: Authority, protocol: str
) -> None:
    kind, exporter = ("otlp", to_grpc) if protocol == "grpc" else ("otlphttp", to_http)
    to = exporter(f"https://{open_to_all.addresses[f'otlp/{protocol}']}", retry_on_failure={"enabled": False})
    with Gateway(configuration({kind: to | {"tls": {"ca_file": stranger.ca_file}}})) as first:
        outcome = doors.http(first, "traces", BODY)

    assert outcome.code == 503
    assert sink.arrivals == []


def rotate(now: dict[str, str], to: dict[str, str]) -> None:
    """Put another certificate and key where the present ones are, one after the other as a human would."""
    for kind in ("cert_file", "key_file"):
        Path(now[kind]).write_bytes(Path(to[kind]).read_bytes())


def own_copy(files: dict[str, str], folder: Path) -> dict[str, str]:
    """Copy a certificate and its key to files that a test may change."""
    copies = {kind: str(folder / Path(path).name) for kind, path in files.items()}
    rotate(copies, files)
    return copies


def presented(gateway: Gateway, ca: Authority) -> bytes:
    """The certificate that a new connection sees."""
    context = ssl.create_default_context(cafile=ca.ca_file)
    with (
        socket.create_connection(address(gateway, "http"), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_f18_s11_a_rotated_certificate_is_used_for_new_connections_and_no_request_fails(
    sink: Sink, trusted: Authority, tmp_path: Path
) -> None:
    served = own_copy(trusted.server, tmp_path)
    renewed = trusted.issue("renewed", "localhost", "127.0.0.1")
    done, answers = threading.Event(), list[int]()
    context = ssl.create_default_context(cafile=trusted.ca_file)

    def keep_sending() -> None:
        with closing(HTTPSConnection(*address(gateway, "http"), context=context, timeout=10)) as kept:
            while not done.is_set():
                kept.request("POST", HTTP_PATHS["traces"], BODY, {"Content-Type": "application/x-protobuf"})
                response = kept.getresponse()
                response.read()
                answers.extend((response.status, post(gateway, trusted)))

    with serving({"otlp": to_grpc(sink.grpc_url)}, served | {"reload_interval": "20ms"}) as gateway:
        old = presented(gateway, trusted)
        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(keep_sending) for _ in range(4)]
            try:
                wait_until(lambda: len(answers) > 40, "the load is there")
                rotate(served, renewed)
                wait_until(lambda: presented(gateway, trusted) != old, "a new connection sees the new certificate")
                before = len(answers)
                wait_until(lambda: len(answers) > before + 40, "the load is still there")
            finally:
                done.set()
        for client in clients:
            client.result()

    assert set(answers) == {200}
    assert len(sink.arrivals) == len(answers)


def test_s11_files_that_cannot_be_used_leave_the_certificate_in_place(trusted: Authority, tmp_path: Path) -> None:
    served = own_copy(trusted.server, tmp_path)
    with serving({"nop": {}}, served | {"reload_interval": "1ms"}) as gateway:
        old = presented(gateway, trusted)
        Path(served["key_file"]).write_text("not a key")

        assert [presented(gateway, trusted) for _ in range(5)] == [old] * 5


@pytest.fixture
def untrusted(stranger: Authority, tmp_path: Path) -> dict[str, str]:
    """The files of a client's certificate that nobody trusts, and that a test may change."""
    return own_copy(stranger.client, tmp_path)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_s11_an_exporter_takes_up_a_new_certificate_of_its_own(
    demanding: Gateway, sink: Sink, trusted: Authority, untrusted: dict[str, str], protocol: str
) -> None:
    kind, exporter = ("otlp", to_grpc) if protocol == "grpc" else ("otlphttp", to_http)
    tls = {"ca_file": trusted.ca_file, "reload_interval": "1ms"} | untrusted
    to = exporter(f"https://{demanding.addresses[f'otlp/{protocol}']}", retry_on_failure={"enabled": False})
    with Gateway(configuration({kind: to | {"tls": tls}})) as first:
        assert doors.http(first, "traces", BODY).code == 503
        rotate(untrusted, trusted.client)
        wait_until(lambda: doors.http(first, "traces", BODY).code == 200, "the destination trusts the gateway")

    assert sink.names("traces") == ["a0", "a1"]
