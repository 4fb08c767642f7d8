"""What HTTP/2 clients may send before anybody has asked for it: rule S6, as they see it on the wire."""

from contextlib import ExitStack

import pytest

from millrace.gateway import Gateway
from tests.conformance.gateways import address, configuration
from tests.conformance.http2 import Http2Connection, frame, grpc_headers
from tests.conformance.messages import request
from tests.conformance.sink import Sink

PROTOCOLS = 65_535
"""The window that RFC 9113 gives to every connection."""
MEBIBYTE = 1 << 20


def may_send(connection: Http2Connection) -> int:
    """Return the bytes that the gateway lets a client send unasked, frames that are not complete included."""
    connection.h2.ping(bytes(8))
    connection.flush()
    while not connection.pings:
        connection.receive()
    return connection.h2.outbound_flow_control_window + connection.h2.max_outbound_frame_size


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_s6_what_many_http2_clients_may_send_unasked_is_bounded_for_all_of_them_together(protocol: str) -> None:
    with Gateway(configuration({"nop": {}}, budget_mib=1)) as gateway, ExitStack() as stack:
        clients = [stack.enter_context(Http2Connection(address(gateway, protocol))) for _ in range(200)]

        allowed = [may_send(client) for client in clients]

    assert sum(allowed) <= MEBIBYTE / 4 + len(clients) * (PROTOCOLS + 16_384)


def test_an_http2_client_among_few_may_send_a_large_batch_without_waiting(default: Gateway) -> None:
    with Http2Connection(address(default, "grpc")) as client:
        may_send(client)

        assert client.h2.outbound_flow_control_window >= MEBIBYTE
        assert client.h2.remote_settings.initial_window_size >= MEBIBYTE


@pytest.mark.parametrize("frame_bytes", [MEBIBYTE, 100_000, 16_384, 1_000])
def test_a_message_arrives_as_it_was_whatever_the_size_of_its_frames(
    forwarding: Gateway, sink: Sink, frame_bytes: int
) -> None:
    message = request("traces", 3000 if frame_bytes > PROTOCOLS else 300)
    body = frame(message.SerializeToString())
    assert len(body) > 2 * PROTOCOLS or frame_bytes < PROTOCOLS
    with Http2Connection(address(forwarding, "grpc")) as client:
        may_send(client)
        assert client.h2.max_outbound_frame_size > len(body)
        client.h2.max_outbound_frame_size = min(frame_bytes, client.h2.max_outbound_frame_size)
        answer = client.exchange(grpc_headers(), body)

    assert answer.grpc_status == 0
    assert sink.messages("traces") == [message]
