"""What the functions over OTLP bytes promise, against the generated protobuf classes (upb) as the oracle."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import DecodeError as UpbDecodeError
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace import otlp
from millrace.errors import DecodeError, ItemTooLargeError, MillraceError
from millrace.otlp import SIGNALS, Action, AttributeValue, Level, Signal
from tests.python.otlp_messages import REQUESTS, requests

EXAMPLES = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
signals = pytest.mark.parametrize("signal", SIGNALS)


def parse(signal: Signal, data: bytes) -> Message:
    """Read a request as the oracle does."""
    return REQUESTS[signal].FromString(data)


def items(signal: Signal, request: Any) -> Iterator[Any]:  # noqa: ANN401 - any message of the oracle
    """Return the items of a request that the oracle has read."""
    match signal:
        case "traces":
            yield from (span for r in request.resource_spans for s in r.scope_spans for span in s.spans)
        case "logs":
            yield from (record for r in request.resource_logs for s in r.scope_logs for record in s.log_records)
        case "profiles":
            yield from (one for r in request.resource_profiles for s in r.scope_profiles for one in s.profiles)
        case "metrics":
            for metric in (metric for r in request.resource_metrics for s in r.scope_metrics for metric in s.metrics):
                kind = metric.WhichOneof("data")
                yield from getattr(metric, kind).data_points if kind else ()


def a_trace() -> bytes:
    """Return a request with one span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="a", start_time_unix_nano=1)
    span.trace_id, span.span_id = b"t" * 16, b"s" * 8
    return request.SerializeToString()


@signals
@EXAMPLES
@given(data=st.data())
def test_every_request_of_the_oracle_is_valid_and_has_as_many_items(signal: Signal, data: st.DataObject) -> None:
    request = data.draw(requests(signal))

    assert otlp.count(signal, request.SerializeToString()) == len(list(items(signal, request)))


@signals
@EXAMPLES
@given(data=st.data())
def test_f15_damaged_bytes_are_accepted_and_refused_as_by_the_oracle(signal: Signal, data: st.DataObject) -> None:
    damaged = bytearray(data.draw(requests(signal)).SerializeToString())
    if damaged:
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        parse(signal, bytes(damaged))
        oracle_accepts = True
    except UpbDecodeError:
        oracle_accepts = False

    try:
        otlp.validate(signal, damaged)
        refused = None
    except DecodeError as error:
        refused = str(error)

    if refused is None:
        assert oracle_accepts
    elif oracle_accepts:
        # The documented differences: upb skips a known field with a wrong wire type as if it were unknown, and cuts
        # off what a varint has beyond 64 bits. Go and prost refuse both, as millrace does.
        assert "wire type" in refused or "64 bits" in refused


@signals
@EXAMPLES
@given(data=st.data())
def test_h7_a_request_cut_at_any_byte_is_refused_or_valid_as_by_the_oracle(signal: Signal, data: st.DataObject) -> None:
    whole = data.draw(requests(signal)).SerializeToString()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        expected = len(list(items(signal, parse(signal, cut))))
    except UpbDecodeError:
        with pytest.raises(DecodeError) as caught:
            otlp.validate(signal, cut)
        assert 0 <= caught.value.offset <= len(cut)
    else:
        assert otlp.count(signal, cut) == expected


@signals
@EXAMPLES
@given(data=st.data())
def test_j1_to_j7_json_and_back_is_the_same_request(signal: Signal, data: st.DataObject) -> None:
    request = data.draw(requests(signal))

    text = otlp.to_json(signal, request.SerializeToString())

    assert b"\n" not in text
    assert parse(signal, otlp.from_json(signal, text)) == request


@signals
@EXAMPLES
@given(data=st.data())
def test_merged_requests_have_the_items_of_all_in_order(signal: Signal, data: st.DataObject) -> None:
    parts = [data.draw(requests(signal)) for _ in range(3)]

    merged = parse(signal, otlp.merge(signal, [part.SerializeToString() for part in parts]))

    assert len(list(items(signal, merged))) == sum(len(list(items(signal, part))) for part in parts)
    if signal != "profiles":  # whose indices into the dictionary are counted on
        assert list(items(signal, merged)) == [item for part in parts for item in items(signal, part)]


@signals
@EXAMPLES
@given(data=st.data(), most=st.integers(1, 5))
def test_x14_a_split_request_keeps_every_item_and_no_part_is_empty(
    signal: Signal, data: st.DataObject, most: int
) -> None:
    request = data.draw(requests(signal))

    parts = [parse(signal, part) for part in otlp.split_by_count(signal, request.SerializeToString(), most)]

    assert all(1 <= len(list(items(signal, part))) <= most for part in parts)
    assert [item for part in parts for item in items(signal, part)] == list(items(signal, request))


@signals
@EXAMPLES
@given(data=st.data(), limit=st.integers(1, 2_000))
def test_x7_parts_split_by_size_are_within_it_or_one_item_is_too_large(
    signal: Signal, data: st.DataObject, limit: int
) -> None:
    request = data.draw(requests(signal))
    try:
        parts = otlp.split_by_bytes(signal, request.SerializeToString(), limit)
    except ItemTooLargeError as error:
        assert error.size > error.limit == limit  # noqa: PT017 - either end is right
        return

    assert all(len(part) <= limit for part in parts)
    assert [item for part in parts for item in items(signal, parse(signal, part))] == list(items(signal, request))


@signals
@EXAMPLES
@given(data=st.data())
def test_taking_out_invalid_items_leaves_a_request_with_none(signal: Signal, data: st.DataObject) -> None:
    request = data.draw(requests(signal)).SerializeToString()
    before = otlp.validate(signal, request)

    rejected = otlp.reject_invalid(signal, request)

    assert otlp.validate(signal, rejected.request) == (before.items - before.invalid, 0)
    assert rejected.rejected == before.invalid
    assert bool(rejected.message) == bool(before.invalid)


def test_a_signal_is_told_from_its_bytes() -> None:
    request = a_trace()

    assert otlp.detect(request) == "traces"


def test_a_request_without_items_could_be_of_any_signal() -> None:
    assert otlp.detect(b"") is None


@pytest.mark.parametrize(
    "value",
    ["text", True, -1, 2**63 - 1, 0.5, b"\x00\xff", [1, "a", [None]], {"a": {"b": 1.5}}, None],
    ids=repr,
)
def test_an_attribute_can_have_every_form_of_value(value: AttributeValue) -> None:
    edited = otlp.edit_attribute("traces", a_trace(), level="item", action="upsert", key="k", value=value)

    found = next(items("traces", parse("traces", edited))).attributes[0]
    assert found.key == "k"
    assert plain(found.value) == value


def plain(value: Any) -> Any:  # noqa: ANN401 - an AnyValue, and what it stands for
    """Return the Python value of an `AnyValue` of the oracle."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: plain(item.value) for item in value.kvlist_value.values}
        case kind:
            return getattr(value, kind)


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("insert", {}, {"k": "new"}),
        ("insert", {"k": "old"}, {"k": "old"}),
        ("update", {}, {}),
        ("update", {"k": "old"}, {"k": "new"}),
        ("upsert", {}, {"k": "new"}),
        ("upsert", {"k": "old"}, {"k": "new"}),
        ("delete", {"k": "old", "l": "x"}, {"l": "x"}),
    ],
)
@pytest.mark.parametrize("level", ["resource", "scope", "item", "span_event"])
def test_an_edit_changes_the_one_attribute_of_its_level(
    level: Level, action: Action, before: dict[str, str], after: dict[str, str]
) -> None:
    def described(request: Any) -> Any:  # noqa: ANN401 - a message of the oracle
        scope = request.resource_spans[0].scope_spans[0]
        match level:
            case "resource":
                return request.resource_spans[0].resource
            case "scope":
                return scope.scope
            case "item":
                return scope.spans[0]
        return scope.spans[0].events[0]

    request: Any = REQUESTS["traces"]()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(name="a").events.add(name="e")
    for key, value in before.items():
        described(request).attributes.add(key=key).value.string_value = value

    edited = otlp.edit_attribute(
        "traces",
        request.SerializeToString(),
        level=level,
        action=action,
        key="k",
        value=None if action == "delete" else "new",
    )

    assert {a.key: a.value.string_value for a in described(parse("traces", edited)).attributes} == after


@pytest.mark.parametrize(
    ("value", "error"),
    [({1, 2}, TypeError), ({1: 2}, TypeError), (2**63, ValueError), (object(), TypeError)],
)
def test_a_value_that_no_attribute_has_is_refused(value: AttributeValue, error: type[Exception]) -> None:
    with pytest.raises(error):
        otlp.edit_attribute("traces", b"", level="item", action="insert", key="k", value=value)


def test_s3_a_value_that_contains_itself_is_refused() -> None:
    endless: list[AttributeValue] = []
    endless.append(endless)

    with pytest.raises(ValueError, match="at most 128 levels"):
        otlp.edit_attribute("traces", b"", level="item", action="insert", key="k", value=endless)


def test_a_signal_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match='got "spans"'):
        otlp.count("spans", b"")  # type: ignore[arg-type] # the point


def test_text_is_no_request() -> None:
    with pytest.raises(TypeError):
        otlp.count("traces", "")  # type: ignore[arg-type] # the point


def test_every_error_of_bytes_is_one_of_ours() -> None:
    with pytest.raises(MillraceError):
        otlp.count("traces", b"\xff")
