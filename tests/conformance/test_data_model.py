"""What a receiver does with items that break the data model: rules D1 to D12 and P1 to P5. Invalid ones are counted."""

import math
from collections.abc import Callable
from typing import Any, Final

import pytest

from millrace.gateway import Gateway
from tests.conformance import http1
from tests.conformance.gateways import address
from tests.conformance.messages import (
    NOW,
    REJECTED,
    REQUESTS,
    RESPONSES,
    TRACE_ID,
    Request,
    Signal,
    add_span,
    items,
    request,
)
from tests.conformance.sink import Sink

DELTA: Final = 1
CUMULATIVE: Final = 2
NO_RECORDED_VALUE: Final = 1


def rejected(gateway: Gateway, signal: Signal, message: Request) -> tuple[int, str]:
    """How many items of a request the gateway rejects, and why."""
    answer = http1.post(address(gateway, "http"), signal, message.SerializeToString())
    assert answer.status == 200
    partial: Any = RESPONSES[signal].FromString(answer.body)
    return getattr(partial.partial_success, REJECTED[signal]), partial.partial_success.error_message


def changed(signal: Signal, change: Callable[[Any], object]) -> Request:
    """A request of which the second of two items is changed."""
    message = request(signal, 2)
    change(list(items(signal, message))[1])
    return message


SPANS: dict[str, Callable[[Any], object]] = {
    "trace_id of 15 bytes": lambda span: setattr(span, "trace_id", TRACE_ID[:15]),
    "trace_id of 17 bytes": lambda span: setattr(span, "trace_id", TRACE_ID + b"a"),
    "trace_id of zeros": lambda span: setattr(span, "trace_id", bytes(16)),
    "no trace_id": lambda span: span.ClearField("trace_id"),
    "span_id of 7 bytes": lambda span: setattr(span, "span_id", b"1234567"),
    "span_id of zeros": lambda span: setattr(span, "span_id", bytes(8)),
    "no span_id": lambda span: span.ClearField("span_id"),
}


@pytest.mark.parametrize("kind", SPANS)
def test_d1_a_span_that_cannot_be_identified_is_rejected(default: Gateway, kind: str) -> None:
    count, why = rejected(default, "traces", changed("traces", SPANS[kind]))

    assert count == 1
    assert ("trace_id" if "trace_id" in kind else "span_id") in why


@pytest.mark.parametrize(
    ("trace_id", "span_id"), [(b"", b""), (bytes(16), bytes(8)), (b"short", b"x"), (b"x" * 16, b"")]
)
def test_d1_a_log_record_with_invalid_ids_is_kept(
    forwarding: Gateway, sink: Sink, trace_id: bytes, span_id: bytes
) -> None:
    message = request("logs")
    (record,) = items("logs", message)
    record.trace_id, record.span_id = trace_id, span_id

    assert rejected(forwarding, "logs", message) == (0, "")
    assert sink.messages("logs") == [message]


@pytest.mark.parametrize(
    ("parent", "count"), [(b"", 0), (b"12345678", 0), (bytes(8), 0), (b"1234567", 1), (b"123456789", 1)]
)
def test_d2_a_parent_is_empty_or_has_8_bytes(default: Gateway, parent: bytes, count: int) -> None:
    message = changed("traces", lambda span: setattr(span, "parent_span_id", parent))

    assert rejected(default, "traces", message)[0] == count


def test_d3_flags_are_forwarded_as_they_are(forwarding: Gateway, sink: Sink) -> None:
    message = changed("traces", lambda span: setattr(span, "flags", 0xFFFFFFFF))

    assert rejected(forwarding, "traces", message)[0] == 0
    assert sink.messages("traces") == [message]


def test_d4_duplicate_attributes_are_forwarded_as_they_are(forwarding: Gateway, sink: Sink) -> None:
    message = request("traces")
    (span,) = items("traces", message)
    for number in (1, 2):
        span.attributes.add(key="same").value.int_value = number

    assert rejected(forwarding, "traces", message)[0] == 0
    assert sink.messages("traces") == [message]


def _without_recorded_value(point: Any) -> None:  # noqa: ANN401 - a data point
    point.ClearField("value")
    point.flags = NO_RECORDED_VALUE


def test_d5_a_point_without_a_value_is_rejected_unless_it_says_so(default: Gateway) -> None:
    absent = changed("metrics", lambda point: point.ClearField("value"))
    said = changed("metrics", _without_recorded_value)

    assert rejected(default, "metrics", absent)[0] == 1
    assert rejected(default, "metrics", said)[0] == 0


def test_d6_a_point_without_a_time_is_rejected(default: Gateway) -> None:
    count, why = rejected(default, "metrics", changed("metrics", lambda point: point.ClearField("time_unix_nano")))

    assert count == 1
    assert "time_unix_nano" in why


def metric(kind: str, **fields: object) -> tuple[Request, Any]:
    """A request for one metric with one valid point, and the point."""
    message: Any = REQUESTS["metrics"]()
    data = getattr(message.resource_metrics.add().scope_metrics.add().metrics.add(name="a"), kind)
    if hasattr(data, "aggregation_temporality"):
        data.aggregation_temporality = fields.pop("temporality", CUMULATIVE)
    point = data.data_points.add(time_unix_nano=NOW, **fields)
    return message, point


@pytest.mark.parametrize("kind", ["sum", "histogram", "exponential_histogram"])
@pytest.mark.parametrize(("temporality", "count"), [(0, 1), (DELTA, 0), (CUMULATIVE, 0)])
def test_d7_a_metric_states_its_temporality(default: Gateway, kind: str, temporality: int, count: int) -> None:
    value = {"as_int": 1} if kind == "sum" else {}
    message, _ = metric(kind, temporality=temporality, **value)

    assert rejected(default, "metrics", message)[0] == count


HISTOGRAMS: dict[str, tuple[dict[str, Any], int]] = {
    "one bucket more than bounds": ({"count": 3, "bucket_counts": [1, 2], "explicit_bounds": [5]}, 0),
    "neither buckets nor bounds": ({"count": 3, "sum": 1}, 0),
    "as many buckets as bounds": ({"count": 3, "bucket_counts": [3], "explicit_bounds": [5]}, 1),
    "bounds without buckets": ({"count": 3, "explicit_bounds": [5]}, 1),
    "one bucket without bounds": ({"count": 3, "bucket_counts": [3]}, 0),
    "buckets that do not add up": ({"count": 4, "bucket_counts": [1, 2], "explicit_bounds": [5]}, 1),
    "equal bounds": ({"count": 3, "bucket_counts": [1, 1, 1], "explicit_bounds": [5, 5]}, 1),
    "falling bounds": ({"count": 3, "bucket_counts": [1, 1, 1], "explicit_bounds": [5, 4]}, 1),
    "a bound that is no number": ({"count": 2, "bucket_counts": [1, 1], "explicit_bounds": [math.nan]}, 1),
    "a sum of nothing": ({"count": 0, "sum": 1}, 1),
    "counts that overflow": ({"count": 1, "bucket_counts": [2**63, 2**63 + 1], "explicit_bounds": [5]}, 1),
}


@pytest.mark.parametrize("kind", HISTOGRAMS)
def test_d8_a_histogram_adds_up(default: Gateway, kind: str) -> None:
    fields, count = HISTOGRAMS[kind]

    assert rejected(default, "metrics", metric("histogram", **fields)[0])[0] == count


EXPONENTIALS: dict[str, tuple[dict[str, Any], tuple[int, list[int]], int]] = {
    "adds up": ({"count": 6, "zero_count": 1, "scale": 3}, (-5, [2, 3]), 0),
    "does not add up": ({"count": 7, "zero_count": 1, "scale": 3}, (-5, [2, 3]), 1),
    "offset at the end of int32": ({"count": 2, "scale": 20}, (2**31 - 1, [1, 1]), 1),
    "scale that no double holds": ({"count": 1, "scale": -2_000}, (1, [1]), 1),
    "offset that no double holds": ({"count": 1, "scale": 0}, (2_000, [1]), 1),
}


@pytest.mark.parametrize("kind", EXPONENTIALS)
def test_d9_an_exponential_histogram_adds_up_and_stays_in_range(default: Gateway, kind: str) -> None:
    fields, (offset, counts), count = EXPONENTIALS[kind]
    message, point = metric("exponential_histogram", **fields)
    point.positive.offset = offset
    point.positive.bucket_counts.extend(counts)

    assert rejected(default, "metrics", message)[0] == count


SUMMARIES: dict[str, tuple[list[tuple[float, float]], int]] = {
    "increasing": ([(0, 1), (0.5, 2), (1, 3)], 0),
    "equal values": ([(0, 1), (1, 1)], 0),
    "equal quantiles": ([(0.5, 1), (0.5, 2)], 1),
    "falling quantiles": ([(0.9, 1), (0.5, 2)], 1),
    "a quantile beyond 1": ([(1.5, 1)], 1),
    "a negative value": ([(0.5, -1)], 1),
}


@pytest.mark.parametrize("kind", SUMMARIES)
def test_d10_the_quantiles_of_a_summary_increase(default: Gateway, kind: str) -> None:
    quantiles, count = SUMMARIES[kind]
    message, point = metric("summary", count=1, sum=1)
    for quantile, at in quantiles:
        point.quantile_values.add(quantile=quantile, value=at)

    assert rejected(default, "metrics", message)[0] == count


def test_d11_points_that_overlap_are_forwarded_as_they_are(forwarding: Gateway, sink: Sink) -> None:
    message, point = metric("sum", as_int=1)
    data = message.resource_metrics[0].scope_metrics[0].metrics[0].sum
    data.data_points.add().CopyFrom(point)

    assert rejected(forwarding, "metrics", message)[0] == 0
    assert sink.messages("metrics") == [message]


def test_d12_a_log_record_may_lack_everything(forwarding: Gateway, sink: Sink) -> None:
    message: Any = REQUESTS["logs"]()
    message.resource_logs.add().scope_logs.add().log_records.add()

    assert rejected(forwarding, "logs", message) == (0, "")
    assert len(list(items("logs", sink.messages("logs")[0]))) == 1


def profile(change: Callable[[Request, Any], object]) -> Request:
    """A request for two profiles, after a change of it and its second profile."""
    message = request("profiles", 2)
    change(message, list(items("profiles", message))[1])
    return message


PROFILES: dict[str, tuple[Callable[[Request, Any], object], int]] = {
    "p1 a string table that does not begin empty": (lambda m, _: m.dictionary.string_table.__setitem__(0, "x"), 2),
    "p2 an index at the end of its table": (
        lambda m, p: p.attribute_indices.append(len(m.dictionary.attribute_table)),
        1,
    ),
    "p2 a negative index": (lambda _, p: p.attribute_indices.append(-1), 1),
    "p2 an index of 2^31 - 1": (lambda _, p: setattr(p.sample_type, "type_strindex", 2**31 - 1), 1),
    "p3 a sample without values and times": (lambda _, p: p.samples.add(), 1),
    "p3 a sample with more times than values": (lambda _, p: p.samples.add(values=[1], timestamps_unix_nano=[1, 2]), 1),
    "p4 an id of 15 bytes": (lambda _, p: setattr(p, "profile_id", b"x" * 15), 1),
    "p4 an id of zeros": (lambda _, p: setattr(p, "profile_id", bytes(16)), 1),
    "p5 a payload without its format": (lambda _, p: setattr(p, "original_payload", b"x"), 1),
}


@pytest.mark.parametrize("kind", PROFILES)
def test_p1_to_p5_a_profile_that_breaks_its_rules_is_rejected(default: Gateway, kind: str) -> None:
    change, count = PROFILES[kind]

    assert rejected(default, "profiles", profile(change))[0] == count


def test_c5_reasons_are_counted_together_and_named_apart(default: Gateway) -> None:
    message: Any = REQUESTS["traces"]()
    scope = message.resource_spans.add().scope_spans.add()
    for fields in ({"trace_id": b""}, {"trace_id": b""}, {"span_id": b""}, {}, {"parent_span_id": b"x"}):
        add_span(scope, **fields)

    count, why = rejected(default, "traces", message)

    assert count == 4
    assert all(name in why for name in ("trace_id", "span_id", "parent_span_id"))
