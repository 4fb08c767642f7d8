"""Jaeger's APIs, asked as Grafana's data source and Jaeger's page ask them."""

from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.api.shop import BEGIN, DECLINED, MS, NASTY, SOLD

MICROSECONDS = {"start": BEGIN // 1_000, "end": (BEGIN + 120_000 * MS) // 1_000}
GRAFANA_V3 = "query.start_time_min=2023-11-14T00:00:00+00:00&query.start_time_max=2023-11-15T00:00:00.000000001+00:00"
"""Snake case, and a plus sign that nobody has encoded."""
JAEGER_UI = "query.startTimeMin=2023-11-14T00:00:00.000Z&query.startTimeMax=2023-11-15T00:00:00.000Z"


@pytest.fixture(params=["", "/jaeger"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def data(client: httpx.Client, path: str, **parameters: Any) -> Any:  # noqa: ANN401
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["errors"] is None
    return found["data"]


def test_services_and_operations_are_named(client: httpx.Client, prefix: str) -> None:
    assert data(client, f"{prefix}/api/services") == ["payments", "storefront"]
    assert data(client, f"{prefix}/api/services/payments/operations") == ["POST /charges"]
    found = data(client, f"{prefix}/api/operations", service="payments")
    assert found == [{"name": "POST /charges", "spanKind": "server"}]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [DECLINED, SOLD]),
        ({"limit": 1}, [DECLINED]),
        ({"operation": "SELECT"}, [SOLD]),
        ({"tags": '{"rows":"3"}'}, [SOLD]),
        ({"tag": "rows:3"}, [SOLD]),
        ({"minDuration": "100ms"}, [SOLD]),
        ({"minDuration": "1h"}, []),
        ({"end": BEGIN // 1_000 + 1}, [SOLD]),
    ],
)
def test_grafana_finds_traces(client: httpx.Client, parameters: dict[str, Any], expected: list[str]) -> None:
    asked = {"service": "storefront", "lookback": "custom", **MICROSECONDS, **parameters}
    assert [one["traceID"] for one in data(client, "/api/traces", **asked)] == expected


def test_a_tag_error_is_the_status_of_a_span(client: httpx.Client) -> None:
    found = data(client, "/api/traces", service="payments", tags='{"error":"true"}')
    assert [one["traceID"] for one in found] == [DECLINED]


def test_a_trace_is_jaegers_json(client: httpx.Client, prefix: str) -> None:
    (trace,) = data(client, f"{prefix}/api/traces/{SOLD}")
    spans = {one["spanID"]: one for one in trace["spans"]}
    payment = spans["00000000000000a4"]
    assert (payment["startTime"], payment["duration"]) == (BEGIN // 1_000 + 30_000, 70_000)
    assert payment["references"] == [{"refType": "CHILD_OF", "traceID": SOLD, "spanID": "00000000000000a3"}]
    assert trace["processes"][payment["processID"]]["serviceName"] == "payments"
    assert {"key": "rows", "type": "int64", "value": 3} in spans["00000000000000a2"]["tags"]
    assert {"key": "span.kind", "type": "string", "value": "client"} in spans["00000000000000a2"]["tags"]
    assert spans["00000000000000a3"]["references"][1]["refType"] == "FOLLOWS_FROM"


def test_an_error_has_its_tag_and_its_log(client: httpx.Client) -> None:
    (trace,) = data(client, f"/api/traces/{DECLINED}")
    span = next(one for one in trace["spans"] if one["spanID"].endswith("b2"))
    assert {"key": "error", "type": "bool", "value": True} in span["tags"]
    assert span["logs"][0]["fields"][0] == {"key": "event", "type": "string", "value": "exception"}


def test_dependencies_are_calls_between_services(client: httpx.Client) -> None:
    found = data(client, "/api/dependencies", endTs=BEGIN // MS + 120_000, lookback=200_000)
    assert found == [{"parent": "storefront", "child": "payments", "callCount": 2}]


def test_an_absent_trace_is_an_error_in_jaegers_words(client: httpx.Client, prefix: str) -> None:
    answer = client.get(f"{prefix}/api/traces/{'ab' * 16}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == 404


def test_version_3_names_services_and_operations(client: httpx.Client, prefix: str) -> None:
    assert client.get(f"{prefix}/api/v3/services").json() == {"services": ["payments", "storefront"]}
    found = client.get(f"{prefix}/api/v3/operations?service=storefront&spanKind=server").json()
    assert {one["name"] for one in found["operations"]} == {"POST /orders", NASTY}


@pytest.mark.parametrize("asked", [GRAFANA_V3, JAEGER_UI])
def test_version_3_answers_with_otlp(client: httpx.Client, asked: str) -> None:
    answer = client.get(f"/api/v3/traces?query.serviceName=payments&query.service_name=payments&{asked}")
    spans = json_format.ParseDict(_base64_ids(answer.json()["result"]), TracesData())
    assert sum(len(scope.spans) for resource in spans.resource_spans for scope in resource.scope_spans) == 6


def test_version_3_reads_one_trace(client: httpx.Client) -> None:
    answer = client.get(f"/api/v3/traces/{SOLD}")
    assert "resourceSpans" in answer.json()["result"]


def test_version_3_says_not_found_when_a_search_finds_nothing(client: httpx.Client) -> None:
    answer = client.get(f"/api/v3/traces?query.serviceName=nobody&{JAEGER_UI}")
    assert answer.status_code == 404
    assert answer.json() == {"error": {"httpCode": 404, "message": "No traces found"}}


def test_version_3_requires_a_range_of_time(client: httpx.Client) -> None:
    assert client.get("/api/v3/traces?query.serviceName=payments").status_code == 400


def test_summaries_are_what_jaegers_page_lists(client: httpx.Client) -> None:
    answer = client.get(f"/api/v3/trace-summaries?query.serviceName=payments&query.searchDepth=20&{JAEGER_UI}")
    first, second = answer.json()["summaries"]
    assert (first["traceId"], first["orphanSpanCount"], first["errorSpanCount"]) == (DECLINED, 1, 1)
    assert second == {
        "traceId": SOLD,
        "rootServiceName": "storefront",
        "rootOperationName": "POST /orders",
        "minStartTimeUnixNano": str(BEGIN),
        "maxEndTimeUnixNano": str(BEGIN + 120 * MS),
        "spanCount": 4,
        "errorSpanCount": 0,
        "orphanSpanCount": 0,
        "services": [
            {"name": "storefront", "spanCount": 3, "errorSpanCount": 0},
            {"name": "payments", "spanCount": 1, "errorSpanCount": 0},
        ],
    }


def _base64_ids(node: Any) -> Any:  # noqa: ANN401
    """OTLP/JSON has hexadecimal ids, where the mapping of protobuf has base64."""
    import base64  # noqa: PLC0415 - used here only

    if isinstance(node, list):
        return [_base64_ids(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode()
        if key in {"traceId", "spanId", "parentSpanId"}
        else _base64_ids(value)
        for key, value in node.items()
    }
