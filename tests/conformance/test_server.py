"""What every OTLP server does whichever protocol brought the request: rules C1 to C11."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from millrace.gateway import Gateway
from tests.conformance.doors import BAD_DATA, CODINGS, Coding, Door, compress
from tests.conformance.messages import (
    NOW,
    REJECTED,
    REQUESTS,
    SIGNALS,
    Request,
    Signal,
    add_span,
    invalid,
    items,
    names,
    request,
)
from tests.conformance.sink import Sink

signals = pytest.mark.parametrize("signal", SIGNALS)


@signals
@pytest.mark.parametrize("coding", CODINGS)
def test_c1_none_gzip_and_zstd_are_accepted(
    forwarding: Gateway, sink: Sink, door: Door, signal: Signal, coding: Coding
) -> None:
    message = request(signal, 3)

    outcome = door(forwarding, signal, compress(coding, message.SerializeToString()), coding)

    assert outcome.error is None
    assert sink.messages(signal) == [message]


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "snappy"])
def test_c1_another_coding_is_refused_and_never_read_as_plain(default: Gateway, door: Door, coding: str) -> None:
    outcome = door(default, "traces", request("traces").SerializeToString(), coding)

    assert outcome.code in {415, 12}
    assert outcome.error is not None
    assert "gzip, zstd" in outcome.error.message or "gzip or zstd" in outcome.error.message


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda plain: plain,
    "twice": lambda plain: gzip.compress(gzip.compress(plain)),
    "trailing garbage": lambda plain: gzip.compress(plain) + b"garbage",
    "truncated": lambda plain: gzip.compress(plain)[:-9],
    "without its checksum": lambda plain: gzip.compress(plain)[:-8] + bytes(8),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_c1_damaged_gzip_is_bad_data(default: Gateway, door: Door, damage: str) -> None:
    outcome = door(default, "logs", DAMAGES[damage](request("logs").SerializeToString()), "gzip")

    assert outcome.code in BAD_DATA


def test_c1_gzip_in_several_members_is_one_body(forwarding: Gateway, sink: Sink, door: Door) -> None:
    plain = request("logs", 2).SerializeToString()

    outcome = door(forwarding, "logs", gzip.compress(plain[:7]) + gzip.compress(plain[7:]), "gzip")

    assert outcome.error is None
    assert sink.names("logs") == ["a0", "a1"]


@signals
def test_c2_c4_an_empty_request_succeeds_with_an_empty_response(default: Gateway, door: Door, signal: Signal) -> None:
    outcome = door(default, signal, b"")

    assert (outcome.error, outcome.message) == (None, b"")


def _envelopes() -> dict[str, tuple[Signal, Request]]:
    resource, scope, metric = REQUESTS["traces"](), REQUESTS["logs"](), REQUESTS["metrics"]()
    things: list[Any] = [resource, scope, metric]
    things[0].resource_spans.add()
    things[1].resource_logs.add().scope_logs.add()
    things[2].resource_metrics.add().scope_metrics.add().metrics.add(name="a").gauge.SetInParent()
    return {"resource": ("traces", resource), "scope": ("logs", scope), "metric": ("metrics", metric)}


@pytest.mark.parametrize("envelope", ["resource", "scope", "metric"])
def test_c3_an_empty_envelope_is_no_error(default: Gateway, door: Door, envelope: str) -> None:
    signal, message = _envelopes()[envelope]

    outcome = door(default, signal, message.SerializeToString())

    assert (outcome.error, outcome.message) == (None, b"")


@signals
def test_c4_full_success_leaves_the_response_empty(default: Gateway, door: Door, signal: Signal) -> None:
    outcome = door(default, signal, request(signal, 2).SerializeToString())

    assert (outcome.error, outcome.message) == (None, b"")


@pytest.mark.parametrize("signal", ["traces", "metrics", "profiles"])
def test_c5_invalid_items_are_counted_exactly_and_the_others_arrive(
    forwarding: Gateway, sink: Sink, door: Door, signal: Signal
) -> None:
    message = invalid(signal, good=10, bad=3)

    outcome = door(forwarding, signal, message.SerializeToString())

    assert getattr(outcome.response(signal).partial_success, REJECTED[signal]) == 3
    assert sink.names(signal) == names(signal, message)[:10]


@pytest.mark.parametrize("signal", ["traces", "metrics", "profiles"])
def test_c5_a_request_of_which_no_item_is_valid_is_a_partial_success_too(
    forwarding: Gateway, sink: Sink, door: Door, signal: Signal
) -> None:
    outcome = door(forwarding, signal, invalid(signal, good=0, bad=2).SerializeToString())

    assert getattr(outcome.response(signal).partial_success, REJECTED[signal]) == 2
    assert sink.arrivals == []


@pytest.mark.parametrize("signal", ["traces", "metrics", "profiles"])
def test_c6_a_rejection_always_says_why(default: Gateway, door: Door, signal: Signal) -> None:
    outcome = door(default, signal, invalid(signal, good=1, bad=1).SerializeToString())

    assert outcome.response(signal).partial_success.error_message


def _trace_with_hostile_text(text: str) -> Request:
    message: Any = REQUESTS["traces"]()
    span = add_span(message.resource_spans.add().scope_spans.add(), name=text, trace_id=b"short")
    span.attributes.add(key=text).value.string_value = text
    return message


def test_c7_the_response_stays_small_whatever_was_sent(default: Gateway, door: Door) -> None:
    outcome = door(default, "traces", _trace_with_hostile_text("k" * (10 << 20)).SerializeToString())

    assert outcome.response("traces").partial_success.rejected_spans == 1
    assert len(outcome.message) < 4_096


def test_c8_the_message_of_a_partial_success_never_repeats_what_was_sent(default: Gateway, door: Door) -> None:
    hostile = "<script>\x1b[31m\r\n\0\u202e"

    outcome = door(default, "traces", _trace_with_hostile_text(hostile).SerializeToString())

    message = outcome.response("traces").partial_success.error_message
    assert "trace_id" in message
    assert "script" not in message
    assert message.isprintable()


def test_c8_the_message_of_an_error_never_repeats_what_was_sent(default: Gateway, door: Door) -> None:
    hostile = b"\x0a\x7f<script>\x1b[31m\r\n"

    error = door(default, "traces", hostile).error

    assert error is not None
    assert "script" not in error.message
    assert error.message.isprintable()


@signals
@pytest.mark.parametrize("number", [100, 536_870_911])
def test_c9_unknown_fields_are_kept_at_every_level(
    forwarding: Gateway, sink: Sink, door: Door, signal: Signal, number: int
) -> None:
    message = request(signal, 2)
    for part in [message, *_descendants(message)]:
        if part.ListFields():  # the zero value at the start of each table of a dictionary stays one (P1)
            part.MergeFromString(_unknown_field(number))
    sent = message.SerializeToString()

    assert door(forwarding, signal, sent).error is None

    (arrived,) = sink.messages(signal)
    assert arrived == REQUESTS[signal].FromString(sent)
    assert arrived.SerializeToString() == sent


def _descendants(message: Request) -> list[Request]:
    """Every message inside a message."""
    found = []
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            children = [value] if hasattr(value, "ListFields") else list(value)
            found += [descendant for child in children for descendant in (child, *_descendants(child))]
    return found


def _unknown_field(number: int) -> bytes:
    """A field of that number with wire type 2 and the content `new`."""
    tag, encoded = number << 3 | 2, bytearray()
    while tag > 127:
        encoded.append(tag & 127 | 128)
        tag >>= 7
    return bytes([*encoded, tag, 3]) + b"new"


def test_c9_unknown_enum_values_and_oneof_arms_are_kept(forwarding: Gateway, sink: Sink, door: Door) -> None:
    message = request("traces")
    (span,) = items("traces", message)
    span.kind = 9999
    span.attributes.add(key="from the future").value.MergeFromString(_unknown_field(15))

    assert door(forwarding, "traces", message.SerializeToString()).error is None

    (arrived,) = sink.messages("traces")
    assert arrived.SerializeToString() == message.SerializeToString()


def _every_value(attributes: Any) -> None:  # noqa: ANN401 - attributes of the oracle
    """Add attributes in every form of AnyValue."""
    attributes.add(key="empty").value.SetInParent()
    attributes.add(key="no value")
    attributes.add(key="string").value.string_value = ""
    attributes.add(key="bool").value.bool_value = False
    attributes.add(key="int").value.int_value = -(2**63)
    attributes.add(key="double").value.double_value = -0.0
    attributes.add(key="bytes").value.bytes_value = b"\0\xff"
    attributes.add(key="array").value.array_value.SetInParent()
    attributes.add(key="map").value.kvlist_value.SetInParent()
    mixed = attributes.add(key="mixed").value.array_value.values
    mixed.add(string_value="a")
    mixed.add(int_value=1)
    mixed.add()
    mixed.add().kvlist_value.values.add(key="inner").value.array_value.values.add(bytes_value=b"b")


@signals
def test_c10_every_form_of_a_value_is_accepted_on_every_attribute(
    forwarding: Gateway, sink: Sink, door: Door, signal: Signal
) -> None:
    message = request(signal)
    for part in [message, *_descendants(message)]:
        for name in ("attributes", "filtered_attributes"):
            if hasattr(part, name):
                _every_value(getattr(part, name))
    if signal == "profiles":
        (resource,) = message.resource_profiles
        _every_value(resource.resource.attributes)

    assert door(forwarding, signal, message.SerializeToString()).error is None

    assert sink.messages(signal) == [message]


def test_c10_a_log_body_takes_every_form_of_a_value(forwarding: Gateway, sink: Sink, door: Door) -> None:
    message = request("logs")
    (scope,) = message.resource_logs[0].scope_logs
    holder = scope.log_records.add(time_unix_nano=NOW)
    _every_value(holder.attributes)
    for attribute in holder.attributes:
        scope.log_records.add(time_unix_nano=NOW).body.CopyFrom(attribute.value)

    assert door(forwarding, "logs", message.SerializeToString()).error is None

    assert sink.messages("logs") == [message]


def test_c11_an_index_into_a_dictionary_outside_of_profiles_is_not_fatal(
    forwarding: Gateway, sink: Sink, door: Door
) -> None:
    message = request("traces")
    (span,) = items("traces", message)
    span.attributes.add(key_strindex=7).value.string_value_strindex = 9

    assert door(forwarding, "traces", message.SerializeToString()).error is None

    assert sink.messages("traces") == [message]
