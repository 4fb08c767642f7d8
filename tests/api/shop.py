"""Two traces of a small shop, its logs and its metrics, written by hand: what the tests of the APIs look for."""

from typing import Any

BEGIN = 1_700_000_000_000_000_000
"""When everything begins."""
MS = 1_000_000

SOLD = "0af7651916cd43dd8448eb211c80319c"
"""An order that worked: storefront, its database, payments."""
DECLINED = "1bf7651916cd43dd8448eb211c80319d"
"""An order that payments declined, a minute later; its root is missing, one of its spans is bad text."""

ROUTE = {"key": "http.route", "value": {"stringValue": "/orders"}}
NASTY = "<img src=x onerror=alert(1)>"


def attributes(**values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    def value_of(value: object) -> dict[str, Any]:
        match value:
            case bool():
                return {"boolValue": value}
            case int():
                return {"intValue": str(value)}
            case float():
                return {"doubleValue": value}
            case list():
                return {"arrayValue": {"values": [value_of(one) for one in value]}}
        return {"stringValue": value}

    return [{"key": key.replace("__", "."), "value": value_of(value)} for key, value in values.items()]


def span(  # noqa: PLR0913, PLR0917 - as a table is read
    trace_id: str, span_id: str, parent: str, name: str, start_ms: int, end_ms: int, **more: object
) -> dict[str, Any]:
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(BEGIN + start_ms * MS),
        "endTimeUnixNano": str(BEGIN + end_ms * MS),
        **more,
    }


def wrapped(service: str, level: str, scope_level: str, item: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {"attributes": attributes(service__name=service, host__name="mill")}
    return {level: [{"resource": resource, scope_level: [{"scope": {"name": "shop", "version": "2"}, item: items}]}]}


def traces() -> list[dict[str, Any]]:
    storefront = [
        span(SOLD, "00000000000000a1", "", "POST /orders", 0, 120, kind=2, attributes=[ROUTE]),
        span(SOLD, "00000000000000a2", "00000000000000a1", "SELECT", 5, 15, kind=3, attributes=attributes(rows=3)),
        span(
            SOLD, "00000000000000a3", "00000000000000a1", "POST", 20, 110, kind=3,
            links=[{"traceId": DECLINED, "spanId": "00000000000000b2"}],
        ),
        span(
            DECLINED, "00000000000000b1", "00000000000000ff", NASTY, 60_000, 60_050, kind=2,
            attributes=attributes(http__route="/orders", big=2**53 + 1, ratio=0.5, ok=True, many=["a", "b"]),
        ),
    ]  # fmt: skip
    payments = [
        span(SOLD, "00000000000000a4", "00000000000000a3", "POST /charges", 30, 100, kind=2),
        span(
            DECLINED, "00000000000000b2", "00000000000000b1", "POST /charges", 60_010, 60_040, kind=2,
            status={"code": 2, "message": "over the limit"},
            events=[
                {
                    "name": "exception",
                    "timeUnixNano": str(BEGIN + 60_020 * MS),
                    "attributes": attributes(exception__type="Declined"),
                }
            ],
        ),
    ]  # fmt: skip
    return [
        wrapped("storefront", "resourceSpans", "scopeSpans", "spans", storefront),
        wrapped("payments", "resourceSpans", "scopeSpans", "spans", payments),
    ]


def logs() -> list[dict[str, Any]]:
    records = [
        {
            "timeUnixNano": str(BEGIN + at * MS),
            "observedTimeUnixNano": str(BEGIN + at * MS),
            "severityNumber": severity,
            "severityText": text,
            "body": {"stringValue": body},
            "traceId": trace_id,
            "spanId": span_id,
            "attributes": attributes(amount=at),
        }
        for at, severity, text, body, trace_id, span_id in (
            (50, 9, "INFO", "charged 50", SOLD, "00000000000000a4"),
            (50, 9, "INFO", "charged 51", SOLD, "00000000000000a4"),
            (60_030, 17, "ERROR", "declined 60030", DECLINED, "00000000000000b2"),
        )
    ]
    return [wrapped("payments", "resourceLogs", "scopeLogs", "logRecords", records)]


def metrics() -> list[dict[str, Any]]:
    def point(at_s: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"startTimeUnixNano": str(BEGIN), "timeUnixNano": str(BEGIN + at_s * 1_000 * MS), **fields}

    counted = [
        point(at, asInt=str(at * 10 * factor), attributes=attributes(route=route))
        for at in (10, 20, 30)
        for route, factor in (("/orders", 1), ("/products", 2))
    ]
    exemplar = {
        "timeUnixNano": str(BEGIN + 20_000 * MS),
        "asDouble": 120.0,
        "traceId": SOLD,
        "spanId": "00000000000000a1",
    }
    durations = [
        point(10, count="4", sum=100.0, min=1.0, max=90.0, bucketCounts=["2", "2", "0"], explicitBounds=[10.0, 100.0]),
        point(
            20, count="8", sum=500.0, min=1.0, max=120.0, bucketCounts=["2", "4", "2"], explicitBounds=[10.0, 100.0],
            exemplars=[exemplar],
        ),
    ]  # fmt: skip
    found = [
        {
            "name": "orders",
            "unit": "1",
            "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": counted},
        },
        {"name": "speed", "gauge": {"dataPoints": [point(at, asDouble=float(at)) for at in (10, 20, 30)]}},
        {"name": "latency", "unit": "ms", "histogram": {"aggregationTemporality": 2, "dataPoints": durations}},
    ]
    return [wrapped("storefront", "resourceMetrics", "scopeMetrics", "metrics", found)]
