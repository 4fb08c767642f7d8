"""What an OTLP/HTTP server does: rules H1 to H12."""

import gzip
import json
from collections.abc import Callable, Iterator

import pytest
import zstandard

from millrace.gateway import Gateway
from tests.conformance.conftest import MEBIBYTE
from tests.conformance.gateways import address, configuration, receiver_books, to_grpc
from tests.conformance.http1 import JSON, PROTOBUF, HttpAnswer, RawConnection, post
from tests.conformance.http1 import request as send
from tests.conformance.http2 import Http2Connection, details, http_headers
from tests.conformance.messages import HTTP_PATHS, RESPONSES, SIGNALS, Signal, invalid, request
from tests.conformance.sink import Sink

signals = pytest.mark.parametrize("signal", SIGNALS)
encodings = pytest.mark.parametrize("encoding", [PROTOBUF, JSON])

TRACE_JSON = json.dumps(
    {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {"spans": [{"traceId": "01" * 16, "spanId": "02" * 8, "name": "a", "startTimeUnixNano": "1"}]}
                ]
            }
        ]
    }
).encode()
BODIES = {PROTOBUF: request("traces").SerializeToString(), JSON: TRACE_JSON}


@signals
def test_h1_each_signal_has_its_path(default: Gateway, signal: Signal) -> None:
    answer = post(address(default, "http"), signal, request(signal, 2).SerializeToString())

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_h1_another_method_is_405_with_allow(default: Gateway, method: str) -> None:
    answer = send(address(default, "http"), method, "/v1/traces", headers={"Content-Type": PROTOBUF})

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/traces/", "/v1/profiles", "/v2/traces", "//v1/traces"])
def test_h1_another_path_is_404(default: Gateway, path: str) -> None:
    answer = send(address(default, "http"), "POST", path, b"", {"Content-Type": PROTOBUF})

    assert answer.status == 404
    assert "/v1/traces" in answer.error.message


def test_h1_the_paths_are_configurable() -> None:
    with Gateway(configuration({"nop": {}}, http={"logs_url_path": "/ingest/logs"})) as gateway:
        headers = {"Content-Type": PROTOBUF}
        body = request("logs").SerializeToString()
        assert send(address(gateway, "http"), "POST", "/ingest/logs", body, headers).status == 200
        assert send(address(gateway, "http"), "POST", "/v1/logs", body, headers).status == 404


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=UTF-8;x=y", " application/json "],
)
def test_h2_json_comes_with_parameters_and_in_any_case(default: Gateway, content_type: str) -> None:
    answer = post(address(default, "http"), "traces", TRACE_JSON, content_type)

    assert (answer.status, json.loads(answer.body)) == (200, {})


@pytest.mark.parametrize("content_type", ["application/x-protobuf; x=y", "Application/X-Protobuf"])
def test_h2_protobuf_comes_with_parameters_and_in_any_case(default: Gateway, content_type: str) -> None:
    answer = post(address(default, "http"), "traces", BODIES[PROTOBUF], content_type)

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/jsonx", "", "json"])
def test_h2_another_content_type_is_415(default: Gateway, content_type: str) -> None:
    answer = post(address(default, "http"), "traces", BODIES[PROTOBUF], content_type)

    assert answer.status == 415
    assert "application/x-protobuf" in answer.error.message


def test_h2_a_request_without_content_type_is_415(default: Gateway) -> None:
    answer = send(address(default, "http"), "POST", "/v1/traces", BODIES[PROTOBUF])

    assert answer.status == 415
    assert answer.error.message


@pytest.fixture(scope="module")
def crowded() -> Iterator[Gateway]:
    """A gateway whose exporter is refused and does not retry, so that every request is answered 503."""
    refused = to_grpc("http://127.0.0.1:1", retry_on_failure={"enabled": False})
    with Gateway(configuration({"otlp": refused})) as gateway:
        yield gateway


def _answer(default: Gateway, strict: Gateway, crowded: Gateway, encoding: str, status: int) -> HttpAnswer:
    """Do what is answered with that status."""
    body, to, head = BODIES[encoding], address(default, "http"), {"Content-Type": encoding}
    causes: dict[int, Callable[[], HttpAnswer]] = {
        200: lambda: post(to, "traces", body, encoding),
        400: lambda: post(to, "traces", b"\x0a", encoding),
        404: lambda: send(to, "POST", "/nowhere", body, head),
        405: lambda: send(to, "PUT", "/v1/traces", body, head),
        413: lambda: post(address(strict, "http"), "traces", bytes(MEBIBYTE + 1), encoding),
        415: lambda: post(to, "traces", body, encoding, content_encoding="br"),
        503: lambda: post(address(crowded, "http"), "traces", body, encoding),
    }
    return causes[status]()


@encodings
@pytest.mark.parametrize("status", [200, 400, 404, 405, 413, 415, 503])
def test_h3_h4_every_answer_is_in_the_encoding_of_its_request_and_every_error_is_a_status(
    default: Gateway, strict: Gateway, crowded: Gateway, encoding: str, status: int
) -> None:
    answer = _answer(default, strict, crowded, encoding, status)

    assert (answer.status, answer.headers["content-type"]) == (status, encoding)
    assert status == 200 or answer.error.message


@encodings
def test_h5_success_is_200_with_the_response_message(default: Gateway, encoding: str) -> None:
    answer = post(address(default, "http"), "traces", BODIES[encoding], encoding)

    assert (answer.status, answer.body) == (200, b"{}" if encoding == JSON else b"")


def test_h5_a_partial_success_in_json_has_its_count_as_a_string(default: Gateway) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "no ids"}]}]}]}).encode()

    answer = json.loads(post(address(default, "http"), "traces", body, JSON).body)

    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert "trace_id" in answer["partialSuccess"]["errorMessage"]


def test_h6_a_declared_length_beyond_the_limit_is_refused_before_the_body_is_read(default: Gateway) -> None:
    with RawConnection(address(default, "http")) as connection:
        connection.head(content_length=10 << 30)
        answer = connection.answer()

    assert answer.status == 413
    assert str(64 * MEBIBYTE) in answer.error.message


def test_h6_expect_100_continue_of_a_body_beyond_the_limit_is_refused_at_once(default: Gateway) -> None:
    with RawConnection(address(default, "http")) as connection:
        connection.head(content_length=10 << 30, expect="100-continue")
        assert connection.answer().status == 413


def _chunks(total: int) -> bytes:
    chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
    return chunk * (total // 0x8000 + 1) + b"0\r\n\r\n"


def test_h6_a_chunked_body_beyond_the_limit_is_refused(strict: Gateway) -> None:
    with RawConnection(address(strict, "http")) as connection:
        connection.head(transfer_encoding="chunked")
        connection.send(_chunks(2 * MEBIBYTE))
        assert connection.answer().status == 413


def test_h6_a_client_that_sends_all_of_a_body_beyond_the_limit_still_reads_the_answer(strict: Gateway) -> None:
    answer = post(address(strict, "http"), "traces", bytes(12 * MEBIBYTE))

    assert answer.status == 413


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_h6_a_bomb_is_413(strict: Gateway, coding: str) -> None:
    zeros = bytes(32 * MEBIBYTE)
    bomb = gzip.compress(zeros) if coding == "gzip" else zstandard.ZstdCompressor().compress(zeros)

    answer = post(address(strict, "http"), "traces", bomb, content_encoding=coding)

    assert answer.status == 413


def test_h6_a_zstd_frame_that_asks_for_a_window_of_2_gib_is_refused(default: Gateway) -> None:
    magic, no_size_no_checksum, window_of_2_gib = b"\x28\xb5\x2f\xfd", b"\x00", b"\xa8"
    raw_block = b"\x09\x00\x00" + b"a"

    answer = post(
        address(default, "http"), "traces", magic + no_size_no_checksum + window_of_2_gib + raw_block,
        content_encoding="zstd",
    )  # fmt: skip

    assert answer.status in {400, 413}
    assert answer.error.message


def test_h6_a_body_shorter_than_its_content_length_is_400_when_the_client_has_finished(default: Gateway) -> None:
    with RawConnection(address(default, "http")) as connection:
        connection.head(content_length=len(BODIES[PROTOBUF]) + 10)
        connection.send(BODIES[PROTOBUF])
        connection.finish()
        assert connection.answer().status == 400
        assert connection.is_closed()


def test_h6_a_body_longer_than_its_content_length_does_not_become_another_request(default: Gateway) -> None:
    before = receiver_books(default, "traces")["accepted"]
    with RawConnection(address(default, "http")) as connection:
        connection.head(content_length=len(BODIES[PROTOBUF]))
        connection.send(BODIES[PROTOBUF] + b"surplus\r\n\r\n")
        assert connection.answer().status == 200
        assert connection.answer().status == 400
        assert connection.is_closed()

    assert receiver_books(default, "traces")["accepted"] == before + 1


@pytest.mark.parametrize("difference", [-1, 1])
def test_h6_http2_a_lying_content_length_is_never_accepted(default: Gateway, difference: int) -> None:
    before = receiver_books(default, "traces")["accepted"]
    with Http2Connection(address(default, "http")) as connection:
        body = BODIES[PROTOBUF]
        connection.h2.config.validate_outbound_headers = False
        stream = connection.start(http_headers(content_length=str(len(body) + difference)))
        connection.send(stream, body)
        answer = connection.wait(stream)

    assert answer.reset is not None or answer.headers[":status"] == "400"
    assert receiver_books(default, "traces")["accepted"] == before


MALFORMED = {
    "varint of 11 bytes": b"\x0a" + b"\x80" * 10 + b"\x01",
    "field number 0": b"\x02\x00",
    "field number beyond 2^29": b"\x82\x80\x80\x80\x10\x00",
    "wire type 6": b"\x0e",
    "wire type 7": b"\x0f",
    "length past the end": b"\x0a\x05a",
    "negative length": b"\x0a" + b"\xff" * 9 + b"\x01",
    "length of 2^31 - 1": b"\x0a\xff\xff\xff\xff\x07",
    "group that does not end": b"\xa3\x06",
    "group that ends without a beginning": b"\xa4\x06",
    "group that ends as another": b"\xa3\x06\xac\x06",
    "text": b"hello, world",
    "invalid UTF-8": request("logs").SerializeToString().replace(b"a0", b"\xff\xfe"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_h7_malformed_protobuf_is_400_with_bad_request_and_its_byte(default: Gateway, kind: str) -> None:
    answer = post(address(default, "http"), "logs", MALFORMED[kind])

    assert answer.status == 400
    bad_request = details(answer.error).bad_request
    assert bad_request is not None
    assert "byte" in bad_request.field_violations[0].description


def test_h7_a_request_truncated_at_any_byte_is_400_or_a_shorter_request(default: Gateway) -> None:
    message = request("metrics", 2)
    whole = message.SerializeToString()
    for end in range(1, len(whole)):
        assert post(address(default, "http"), "metrics", whole[:end]).status == 400, end


def test_h7_h10_a_connection_survives_400_when_its_body_was_read(default: Gateway) -> None:
    body = BODIES[PROTOBUF]
    with RawConnection(address(default, "http")) as connection:
        for wrong, status in ((b"\x0a", 400), (body, 200), (b"\x0f", 400), (body, 200)):
            connection.head(content_length=len(wrong))
            connection.send(wrong)
            assert connection.answer().status == status


@encodings
def test_h8_a_destination_that_is_away_is_answered_503_with_retry_after(crowded: Gateway, encoding: str) -> None:
    answer = post(address(crowded, "http"), "traces", BODIES[encoding], encoding)

    assert answer.status == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_h8_a_full_queue_is_never_500(sink: Sink) -> None:
    small = configuration(
        {"otlp": to_grpc(sink.grpc_url, sending_queue={"queue_size": 1, "num_consumers": 1, "wait_for_result": False})}
    )
    sink.gate.clear()
    with Gateway(small) as gateway:
        answers = [post(address(gateway, "http"), "traces", BODIES[PROTOBUF]) for _ in range(20)]
        sink.gate.set()

    assert {answer.status for answer in answers} <= {200, 429, 503}
    refused = [answer for answer in answers if answer.status != 200]
    assert refused
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert len(sink.names("traces")) == 20 - len(refused)


def test_h9_the_answer_is_readable_by_a_client_that_accepts_gzip(default: Gateway) -> None:
    answer = post(
        address(default, "http"), "traces", invalid("traces", 0, 1).SerializeToString(), accept_encoding="gzip"
    )

    body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
    assert RESPONSES["traces"].FromString(body) != RESPONSES["traces"]()


def test_h10_h2c_with_prior_knowledge_is_served(default: Gateway) -> None:
    with Http2Connection(address(default, "http")) as connection:
        answers = [connection.exchange(http_headers(signal), request(signal).SerializeToString()) for signal in SIGNALS]

    assert [answer.headers[":status"] for answer in answers] == ["200"] * 4


def test_h10_a_connection_is_kept_over_many_requests(default: Gateway) -> None:
    with RawConnection(address(default, "http")) as connection:
        for _ in range(50):
            connection.head(content_length=len(BODIES[PROTOBUF]))
            connection.send(BODIES[PROTOBUF])
            assert connection.answer().status == 200


def test_h10_http_1_0_is_answered_and_closed(default: Gateway) -> None:
    head = f"POST {HTTP_PATHS['traces']} HTTP/1.0\r\nContent-Type: {PROTOBUF}\r\nContent-Length: 0\r\n\r\n"
    with RawConnection(address(default, "http")) as connection:
        connection.send(head.encode())
        assert connection.answer().status == 200
        assert connection.is_closed()


def test_h11_both_ports_serve_http(default: Gateway) -> None:
    answer = post(address(default, "grpc"), "traces", BODIES[PROTOBUF])

    assert (answer.status, answer.body) == (200, b"")


def test_h12_expect_100_continue_is_answered_before_the_body(default: Gateway) -> None:
    body = BODIES[PROTOBUF]
    with RawConnection(address(default, "http")) as connection:
        connection.head(content_length=len(body), expect="100-continue")
        assert connection.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.reader.readline() == b"\r\n"
        connection.send(body)
        assert connection.answer().status == 200


def test_h12_pipelined_requests_are_answered_in_order(default: Gateway) -> None:
    bodies = [BODIES[PROTOBUF], b"\x0a", BODIES[PROTOBUF]]
    with RawConnection(address(default, "http")) as connection:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF}\r\nContent-Length: "
        connection.send(b"".join(head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies))
        assert [connection.answer().status for _ in bodies] == [200, 400, 200]


def test_h12_chunk_extensions_and_trailers_are_skipped(forwarding: Gateway, sink: Sink) -> None:
    body = BODIES[PROTOBUF]
    with RawConnection(address(forwarding, "http")) as connection:
        connection.head(transfer_encoding="chunked")
        connection.send(b"%x;name=value\r\n%b\r\n%x\r\n%b\r\n" % (5, body[:5], len(body) - 5, body[5:]))
        connection.send(b"0;last\r\nX-Trailer: 1\r\n\r\n")
        assert connection.answer().status == 200

    assert sink.messages("traces") == [request("traces")]


SMUGGLING = {
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n",
    "list of lengths": "Content-Length: 5, 6\r\n",
    "negative length": "Content-Length: -1\r\n",
    "length with a sign": "Content-Length: +5\r\n",
    "unknown transfer coding": "Transfer-Encoding: chunked, identity\r\n",
    "space before the colon": "Content-Length : 5\r\n",
    "folded header": "X-A: b\r\n Content-Length: 5\r\n",
}


@encodings
@pytest.mark.parametrize("earlier", [0, 1, 3])
@pytest.mark.parametrize(
    "lengths", ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
)
def test_h12_a_request_with_both_lengths_is_400_and_the_connection_ends(
    default: Gateway, lengths: str, earlier: int, encoding: str
) -> None:
    body = BODIES[encoding]
    before = receiver_books(default, "traces")["accepted"]
    head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {encoding}\r\n"
    sound = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with RawConnection(address(default, "http")) as connection:
        connection.send(sound * earlier + f"{head}{lengths}\r\n\r\n0\r\n\r\n".encode() + sound)
        assert [connection.answer().status for _ in range(earlier)] == [200] * earlier
        answer = connection.answer()
        assert connection.is_closed()

    assert (answer.status, answer.headers["content-type"], answer.headers["connection"]) == (400, encoding, "close")
    assert "Content-Length" in answer.error.message
    assert "Transfer-Encoding" in answer.error.message
    assert receiver_books(default, "traces")["accepted"] == before + earlier


UNREADABLE = {
    "no HTTP at all": (400, b"hello, world\r\n\r\n"),
    "a broken header": (400, b"POST /v1/traces HTTP/1.1\r\nHost a\r\n\r\n"),
    "another version": (400, b"POST /v1/traces HTTP/3.0\r\nHost: a\r\n\r\n"),
    "a head of 200 KiB": (431, b"POST /v1/traces HTTP/1.1\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n"),
    "a thousand headers": (431, b"POST /v1/traces HTTP/1.1\r\n" + b"A: b\r\n" * 1_000 + b"\r\n"),
    "a path of 70 KiB": (431, b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_h4_a_head_that_cannot_be_read_is_answered_with_a_status(default: Gateway, kind: str) -> None:
    status, head = UNREADABLE[kind]
    with RawConnection(address(default, "http")) as connection:
        connection.send(head)
        answer = connection.answer()
        assert connection.is_closed()

    assert (answer.status, answer.error.code) == (status, 3)
    assert answer.error.message
    assert answer.headers["connection"] == "close"


def test_h4_the_answer_to_a_head_that_cannot_be_read_comes_after_those_before_it(default: Gateway) -> None:
    body = BODIES[PROTOBUF]
    head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body)}\r\n\r\n"
    with RawConnection(address(default, "http")) as connection:
        connection.send((head.encode() + body) * 2 + b"nonsense\r\n\r\n")
        assert [connection.answer().status for _ in range(2)] == [200, 200]
        answer = connection.answer()

    assert (answer.status, answer.error.message) == (400, "the head of the request is not valid HTTP/1.1")


@pytest.mark.parametrize("kind", SMUGGLING)
def test_h12_a_request_whose_end_is_ambiguous_is_400_and_the_connection_ends(default: Gateway, kind: str) -> None:
    head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF}\r\n{SMUGGLING[kind]}\r\n"
    with RawConnection(address(default, "http")) as connection:
        connection.send(head.encode() + b"0\r\n\r\n")
        assert connection.answer().status == 400
        assert connection.is_closed()


def test_s8_http2_a_header_list_beyond_its_limit_is_refused_and_the_connection_goes_on(default: Gateway) -> None:
    """h2 answers by itself, and without a body."""
    with Http2Connection(address(default, "http")) as connection:
        refused = connection.wait(connection.start(http_headers(x_a="a" * 40_000), end=True))
        assert (refused.headers[":status"], refused.body) == ("431", b"")
        assert connection.exchange(http_headers(), BODIES[PROTOBUF]).headers[":status"] == "200"
