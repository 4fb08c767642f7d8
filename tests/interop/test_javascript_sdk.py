"""The stock SDK for JavaScript as a client, over gRPC, HTTP with protobuf and HTTP with JSON."""

from pathlib import Path
from typing import Any

import pytest

from millrace.gateway import Gateway
from tests.conformance.gateways import url
from tests.conformance.messages import Signal, items
from tests.conformance.sink import Sink
from tests.interop import javascript

PROTOCOLS = {"grpc": "grpc", "http/protobuf": "http", "http/json": "http"}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The installed client."""
    try:
        return javascript.install()
    except javascript.JavaScriptUnavailableError as error:
        pytest.skip(str(error))


def arrived(sink: Sink, signal: Signal) -> list[Any]:
    """The items that arrived."""
    return [item for message in sink.messages(signal) for item in items(signal, message)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_javascript_sdk_sends_traces_metrics_and_logs(
    gateway: Gateway, sink: Sink, folder: Path, protocol: str
) -> None:
    sent = javascript.send(folder, protocol, url(gateway, PROTOCOLS[protocol]))

    assert_spans(arrived(sink, "traces"), sent)
    assert_metrics(sink, sent)
    assert_records(arrived(sink, "logs"), sent)
    for message in sink.messages("traces"):
        attributes = {item.key: item.value for item in message.resource_spans[0].resource.attributes}
        assert attributes["service.name"].string_value == "js-client"
        assert [value.string_value for value in attributes["a.list"].array_value.values] == ["x", "y"]


def assert_spans(spans: list[Any], sent: dict[str, Any]) -> None:
    """Every span is there, with all that it has."""
    root_id = sent["spanIds"][0]
    assert sorted(span.span_id.hex() for span in spans) == sorted(sent["spanIds"])
    assert {span.trace_id.hex() for span in spans} == {sent["traceId"]}
    for span in spans:
        attributes = {item.key: item.value for item in span.attributes}
        if span.span_id.hex() == root_id:
            assert attributes["http.route"].string_value == "/\u00e4/\u20ac/\U0001f600"
            continue
        number = int(span.name.removeprefix("child "))
        assert span.parent_span_id.hex() == span.links[0].span_id.hex() == root_id
        assert (attributes["text"].string_value, attributes["int"].int_value) == (f"t{number}", number)
        assert (attributes["double"].double_value, attributes["bool"].bool_value) == (number + 0.5, True)
        assert [value.int_value for value in attributes["list"].array_value.values] == [1, 2, 3]
        assert [event.attributes[0].value.int_value for event in span.events] == [number]
        assert (span.kind, span.status.code, span.status.message) == (3, 2, "on purpose")
        assert span.start_time_unix_nano <= span.end_time_unix_nano


def assert_metrics(sink: Sink, sent: dict[str, Any]) -> None:
    """Every metric is there, with its points."""
    (message,) = sink.messages("metrics")
    metrics = {metric.name: metric for metric in message.resource_metrics[0].scope_metrics[0].metrics}
    assert sorted(metrics) == sorted(sent["metrics"])
    counted = metrics["counter"].sum
    assert (counted.is_monotonic, counted.aggregation_temporality) == (True, 2)
    assert [_number(point) for point in counted.data_points] == [3]
    assert [_number(point) for point in metrics["updown"].sum.data_points] == [-2]
    assert [_number(point) for point in metrics["gauge"].gauge.data_points] == [1.5]
    assert [_number(point) for point in metrics["observed"].gauge.data_points] == [42]
    (histogram,) = metrics["histogram"].histogram.data_points
    assert (histogram.count, histogram.sum, sum(histogram.bucket_counts)) == (3, 111, 3)
    (exponential,) = metrics["exponential"].exponential_histogram.data_points
    assert (exponential.count, exponential.sum, sum(exponential.positive.bucket_counts)) == (3, 111, 3)


def _number(point: Any) -> float:  # noqa: ANN401 - a data point
    value: float = getattr(point, point.WhichOneof("value"))
    return value


def assert_records(records: list[Any], sent: dict[str, Any]) -> None:
    """Every record is there, with its body and its span."""
    numbers = [record.attributes[0].value.int_value for record in records]
    assert sorted(numbers) == list(range(sent["records"]))
    for number, record in zip(numbers, records, strict=True):
        assert (record.severity_number, record.severity_text) == (13, "WARN")
        assert (record.trace_id.hex(), record.span_id.hex()) == (sent["traceId"], sent["spanIds"][0])
        if number % 2:
            assert record.body.string_value == f"record {number}"
        else:
            body = {item.key: item.value for item in record.body.kvlist_value.values}
            assert body["number"].int_value == number
            (nested,) = body["nested"].kvlist_value.values
            one, two, null = nested.value.array_value.values
            assert (one.int_value, two.string_value, null.WhichOneof("value")) == (1, "two", None)
