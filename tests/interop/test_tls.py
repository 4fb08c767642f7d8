"""TLS on both sides of a gateway: stock clients reach it, it reaches another, and strangers are turned away."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from http.client import BadStatusLine, HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from millrace.gateway import Gateway
from tests.conformance import doors
from tests.conformance.gateways import address, configuration, to_grpc, to_http
from tests.conformance.messages import GRPC_PATHS, HTTP_PATHS, SIGNALS, request
from tests.conformance.sink import Sink

BODY = request("traces", 2).SerializeToString()


class Authority:
    """A certificate authority with a server and a client, in files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self.server = self._issue(authority, folder, "server", "localhost", "127.0.0.1")
        self.client = self._issue(authority, folder, "client", "client.example")

    @staticmethod
    def _issue(authority: trustme.CA, folder: Path, name: str, *identities: str) -> dict[str, str]:
        certificate = authority.issue_cert(*identities)
        files = {"cert_file": str(folder / f"{name}.pem"), "key_file": str(folder / f"{name}.key")}
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
