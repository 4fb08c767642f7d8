"""How an OTLP server reads JSON: rules J1 to J8, and malformed JSON. The endpoint behind the gateway gets protobuf."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from millrace.gateway import Gateway
from tests.conformance.gateways import address
from tests.conformance.http1 import JSON, HttpAnswer, post
from tests.conformance.http2 import details
from tests.conformance.messages import REQUESTS, SIGNALS, Signal, items, request
from tests.conformance.sink import Sink

EXAMPLES = Path(__file__).parents[3] / "shared" / "data"
"""The official examples of the specification, where they are at hand."""

Json = dict[str, Any]


def send(gateway: Gateway, signal: Signal, body: Json | bytes | str) -> HttpAnswer:
    """Post a body as OTLP/JSON."""
    if isinstance(body, dict):
        body = json.dumps(body)
    return post(address(gateway, "http"), signal, body if isinstance(body, bytes) else body.encode(), JSON)


def span(**fields: object) -> Json:
    """A request for one span; `fields` override or add."""
    valid = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "a"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [valid | fields]}]}]}


def attribute(value: object) -> Json:
    """A request for one span with one attribute."""
    return span(attributes=[{"key": "a", "value": value}])


def arrived(gateway: Gateway, sink: Sink, signal: Signal, body: Json | bytes | str) -> Any:  # noqa: ANN401 - an item
    """The item that arrives when a body is accepted."""
    answer = send(gateway, signal, body)
    assert (answer.status, answer.body) == (200, b"{}")
    (message,) = sink.messages(signal)
    (item,) = items(signal, message)
    return item


def value(gateway: Gateway, sink: Sink, sent: object) -> Any:  # noqa: ANN401 - an AnyValue
    """The value of the attribute that arrives."""
    return arrived(gateway, sink, "traces", attribute(sent)).attributes[0].value


@pytest.mark.parametrize("text", ["5b8efff798038103d269b633813fc60c", "5B8EFFF798038103D269B633813FC60C"])
def test_j1_ids_are_hexadecimal_in_any_case(forwarding: Gateway, sink: Sink, text: str) -> None:
    link = {"traceId": text, "spanId": "EEE19B7EC3C1B173"}
    item = arrived(forwarding, sink, "traces", span(traceId=text, parentSpanId="00000000000000Ff", links=[link]))

    assert item.trace_id.hex() == item.links[0].trace_id.hex() == text.lower()
    assert (item.parent_span_id.hex(), item.links[0].span_id.hex()) == ("00000000000000ff", "eee19b7ec3c1b173")


def test_j1_ids_of_logs_and_exemplars_are_hexadecimal(forwarding: Gateway, sink: Sink) -> None:
    ids = {"traceId": "0a" * 16, "spanId": "0b" * 8}
    record = arrived(forwarding, sink, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [ids]}]}]})
    point = {"timeUnixNano": "1", "asInt": "1", "exemplars": [ids | {"asInt": "1"}]}
    metric = {"name": "a", "gauge": {"dataPoints": [point]}}
    point_arrived = arrived(
        forwarding, sink, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    )

    for holder in (record, point_arrived.exemplars[0]):
        assert (holder.trace_id, holder.span_id) == (b"\x0a" * 16, b"\x0b" * 8)


@pytest.mark.parametrize(
    "text",
    ["5b8efff798038103d269b633813fc60", "0x8efff798038103d269b633813fc60c", "W47/95gDgQPSabYzgT/GDA==", "g" * 32],
)
def test_j1_an_id_that_is_not_hexadecimal_is_400(default: Gateway, text: str) -> None:
    answer = send(default, "traces", span(traceId=text))

    assert answer.status == 400
    assert "traceId" in answer.error.message


@pytest.mark.parametrize("text", ["0" * 32, "", "5b8e"])
def test_j1_d1_an_id_that_is_no_id_rejects_its_span_only(default: Gateway, text: str) -> None:
    answer = send(default, "traces", span(traceId=text))

    assert answer.status in {200, 400}
    if answer.status == 200:
        assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"


@pytest.mark.parametrize("text", ["0102030405060708090a0b0c0d0e0f10", "AQIDBAUGBwgJCgsMDQ4PEA=="])
def test_j1_a_profile_id_is_base64_or_hexadecimal(forwarding: Gateway, sink: Sink, text: str) -> None:
    body = {"resourceProfiles": [{"scopeProfiles": [{"profiles": [{"profileId": text}]}]}], "dictionary": {}}

    assert arrived(forwarding, sink, "profiles", body).profile_id == bytes(range(1, 17))


def test_j2_enums_are_integers(forwarding: Gateway, sink: Sink) -> None:
    assert arrived(forwarding, sink, "traces", span(kind=2)).kind == 2


def test_j2_the_name_of_an_enum_is_400_and_the_answer_says_what_to_write(default: Gateway) -> None:
    answer = send(default, "traces", span(kind="SPAN_KIND_SERVER"))

    assert answer.status == 400
    assert "2" in answer.error.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"1"', 1),
        ("1", 1),
        ("1.0", 1),
        ("1e3", 1_000),
        (str(2**53 + 1), 2**53 + 1),
        (f'"{2**63 - 1}"', 2**63 - 1),
        (str(-(2**63)), -(2**63)),
    ],
)
def test_j3_an_integer_is_a_number_or_a_string_and_keeps_all_of_its_bits(
    forwarding: Gateway, sink: Sink, text: str, expected: int
) -> None:
    body = json.dumps(attribute({"intValue": "here"})).replace('"here"', text)

    assert arrived(forwarding, sink, "traces", body).attributes[0].value.int_value == expected


@pytest.mark.parametrize("text", ['"9223372036854775808"', "9223372036854775808", "1.5", '"x"', '""', "1e99", "true"])
def test_j3_what_is_no_integer_of_64_bits_is_400(default: Gateway, text: str) -> None:
    body = json.dumps(attribute({"intValue": "here"})).replace('"here"', text)

    assert send(default, "traces", body).status == 400


def test_j4_snake_case_is_an_unknown_field(forwarding: Gateway, sink: Sink) -> None:
    item = arrived(forwarding, sink, "traces", span(dropped_attributes_count=7, end_time_unix_nano="x"))

    assert (item.dropped_attributes_count, item.end_time_unix_nano) == (0, 0)


def test_j5_unknown_fields_are_ignored_at_every_level(forwarding: Gateway, sink: Sink) -> None:
    unknown: object = "deep"
    for _ in range(60):
        unknown = {"a": [unknown]}
    body = span(unknown=unknown, attributes=[{"key": "a", "value": {"stringValue": "b"}, "unknown": [None, 1.5]}])
    body |= {"unknown": unknown}

    assert arrived(forwarding, sink, "traces", body).attributes[0].value.string_value == "b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [('"Infinity"', math.inf), ('"-Infinity"', -math.inf), ('"1.5"', 1.5), ("1e300", 1e300), ("1", 1.0)],
)
def test_j6_a_double_is_a_number_or_a_string(forwarding: Gateway, sink: Sink, text: str, expected: float) -> None:
    body = json.dumps(attribute({"doubleValue": "here"})).replace('"here"', text)

    assert arrived(forwarding, sink, "traces", body).attributes[0].value.double_value == expected


def test_j6_nan_is_a_string(forwarding: Gateway, sink: Sink) -> None:
    assert math.isnan(value(forwarding, sink, {"doubleValue": "NaN"}).double_value)


@pytest.mark.parametrize("text", ["+/+/AA==", "-_-_AA==", "+/+/AA", "-_-_AA"])
def test_j6_bytes_are_base64_of_either_alphabet_with_or_without_padding(
    forwarding: Gateway, sink: Sink, text: str
) -> None:
    assert value(forwarding, sink, {"bytesValue": text}).bytes_value == base64.b64decode("+/+/AA==")


def test_j6_null_is_an_absent_field(forwarding: Gateway, sink: Sink) -> None:
    item = arrived(forwarding, sink, "traces", span(kind=None, attributes=None, status=None, endTimeUnixNano=None))

    assert (item.kind, list(item.attributes), item.HasField("status")) == (0, [], False)


@pytest.mark.parametrize("time", ["1544712660000000001", 1544712660000000001])
def test_j7_times_are_strings_or_numbers(forwarding: Gateway, sink: Sink, time: object) -> None:
    item = arrived(forwarding, sink, "traces", span(startTimeUnixNano=time))

    assert item.start_time_unix_nano == 1544712660000000001


def _protobuf_json(signal: Signal, body: Json) -> bytes:
    """What the oracle makes of a document after its ids are rewritten to base64, which is what it expects."""

    def rewrite(node: object) -> object:
        if isinstance(node, list):
            return [rewrite(child) for child in node]
        if not isinstance(node, dict):
            return node
        return {
            key: base64.b64encode(bytes.fromhex(child)).decode()
            if key.endswith(("raceId", "panId"))
            else rewrite(child)
            for key, child in node.items()
        }

    message = json_format.Parse(json.dumps(rewrite(body)), REQUESTS[signal]())
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("name", "signal"), [("trace", "traces"), ("metrics", "metrics"), ("logs", "logs"), ("events", "logs")]
)
def test_j7_the_official_examples_arrive_as_the_oracle_reads_them(
    forwarding: Gateway, sink: Sink, name: str, signal: Signal
) -> None:
    example = EXAMPLES / f"otlp-example-{name}.json"
    if not example.exists():
        pytest.skip("the examples of the specification are not beside the repository (shared/data)")
    assert send(forwarding, signal, example.read_bytes()).status == 200

    (message,) = sink.messages(signal)
    assert message == REQUESTS[signal].FromString(_protobuf_json(signal, json.loads(example.read_bytes())))


@pytest.mark.parametrize("signal", SIGNALS)
def test_j7_what_the_oracle_writes_arrives_unchanged(forwarding: Gateway, sink: Sink, signal: Signal) -> None:
    message = request(signal, 3)
    body = json_format.MessageToDict(message)

    def rewrite(node: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(node, list):
            return [rewrite(child) for child in node]
        if not isinstance(node, dict):
            return node
        ids = ("traceId", "spanId", "parentSpanId")
        return {key: base64.b64decode(child).hex() if key in ids else rewrite(child) for key, child in node.items()}

    assert send(forwarding, signal, rewrite(body)).status == 200
    assert sink.messages(signal) == [message]


def test_j8_of_a_duplicate_key_the_last_counts(forwarding: Gateway, sink: Sink) -> None:
    body = json.dumps(span()).replace('"name": "a"', '"name": "first", "name": "last"')

    assert arrived(forwarding, sink, "traces", body).name == "last"


MALFORMED: dict[str, bytes] = {
    "cut short": b"{",
    "array": b"[]",
    "null": b"null",
    "number": b"1",
    "text": b"hello",
    "empty string": b'""',
    "two documents": b"{}{}",
    "trailing comma": b'{"resourceSpans":[],}',
    "single quotes": b"{'resourceSpans':[]}",
    "comment": b"{/**/}",
    "NaN literal": json.dumps(attribute({"doubleValue": math.nan})).encode(),
    "lone surrogate": json.dumps(span(name="here")).replace("here", "\\ud800").encode(),
    "invalid UTF-8": json.dumps(span(name="here")).encode().replace(b"here", b"\xff"),
    "control character": json.dumps(span(name="here")).encode().replace(b"here", b"\n"),
    "depth of 100,000 arrays": b'{"resourceSpans":' + b"[" * 100_000,
    "depth of 100,000 unknown objects": b'{"unknown":' + b'{"a":' * 100_000,
    "depth of 100,000 values": json.dumps(attribute("here"))
    .encode()
    .replace(b'"here"', b'{"arrayValue":{"values":[' * 100_000),
    "wrong type": b'{"resourceSpans":{}}',
    "object in place of a string": json.dumps(span(name={})).encode(),
    "string in place of a message": json.dumps(span(status="x")).encode(),
    "UTF-16": '{"resourceSpans":[]}'.encode("utf-16"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_h7_j8_malformed_json_is_400_and_says_where(default: Gateway, kind: str) -> None:
    answer = send(default, "traces", MALFORMED[kind])

    assert answer.status == 400
    bad_request = details(answer.error).bad_request
    assert bad_request is not None
    assert "byte" in bad_request.field_violations[0].description


def test_h7_a_byte_order_mark_is_400_or_skipped(default: Gateway) -> None:
    assert send(default, "traces", b"\xef\xbb\xbf" + json.dumps(span()).encode()).status in {200, 400}


def test_j8_a_number_of_megabytes_is_400_in_no_time(default: Gateway) -> None:
    body = json.dumps(attribute({"intValue": "here"})).replace('"here"', "9" * (8 << 20))

    assert send(default, "traces", body).status == 400


def test_j8_a_string_of_megabytes_arrives(forwarding: Gateway, sink: Sink) -> None:
    assert len(arrived(forwarding, sink, "traces", span(name="\u20ac" * (2 << 20))).name) == 2 << 20


@pytest.mark.parametrize("levels", [64, 120])
def test_j8_values_nest_as_deep_as_an_sdk_may_send(default: Gateway, levels: int) -> None:
    nested: object = {"intValue": "1"}
    for _ in range(levels):
        nested = {"arrayValue": {"values": [nested]}}

    answer = send(default, "traces", attribute(nested))

    assert (answer.status, answer.body) == (200, b"{}")
