"""A shop's telemetry, made up but plausible: the same every time but for the hour that it ends with."""

import itertools
import math
import random
from typing import Any

from tests.viewer.spans import Json, Span, Trace, attributes_of

MS = 1_000_000
HOUR = 3_600_000 * MS
STACK_TRACE = """Traceback (most recent call last):
  File "/srv/payments/charge.py", line 88, in charge
    answer = gateway.submit(card, amount)
  File "/srv/payments/gateway.py", line 41, in submit
    raise CardDeclinedError(answer.reason)
payments.errors.CardDeclinedError: card_declined: insufficient funds"""

# name, service, kind, share of its parent's time, where in it that begins, and what it calls
Call = tuple[str, str, str, float, float, list[Any]]
BROWSE: Call = (
    "GET /products", "storefront", "SERVER", 1, 0, [
        ("render", "storefront", "INTERNAL", 0.2, 0.78, []),
        ("GET /v1/products", "catalog", "SERVER", 0.66, 0.06, [
            ("GET products:page", "redis", "CLIENT", 0.08, 0.03, []),
            ("SELECT products", "postgres", "CLIENT", 0.62, 0.16, []),
            ("SELECT stock", "postgres", "CLIENT", 0.12, 0.82, []),
        ]),
    ],
)  # fmt: skip
CHECKOUT: Call = (
    "POST /checkout", "storefront", "SERVER", 1, 0, [
        ("GET /v1/cart", "cart", "SERVER", 0.14, 0.02, [("HGETALL cart", "redis", "CLIENT", 0.6, 0.2, [])]),
        ("reserve stock", "catalog", "SERVER", 0.18, 0.17, [
            ("UPDATE stock", "postgres", "CLIENT", 0.4, 0.1, []), ("UPDATE stock", "postgres", "CLIENT", 0.4, 0.52, []),
        ]),
        ("POST /v1/charges", "payments", "SERVER", 0.44, 0.36, [
            ("fraud check", "payments", "INTERNAL", 0.2, 0.02, []),
            ("POST gateway.example/charge", "payments", "CLIENT", 0.55, 0.24, []),
            ("INSERT charges", "postgres", "CLIENT", 0.1, 0.87, []),
        ]),
        ("orders publish", "orders", "PRODUCER", 0.06, 0.82, [
            ("orders process", "mailer", "CONSUMER", 2.4, 0.5, [("send receipt", "mailer", "INTERNAL", 0.7, 0.2, [])]),
        ]),
        ("render", "storefront", "INTERNAL", 0.09, 0.9, []),
    ],
)  # fmt: skip
SEARCH: Call = (
    "GET /search", "storefront", "SERVER", 1, 0, [
        ("POST /v1/query", "search", "SERVER", 0.84, 0.04, [
            ("tokenize", "search", "INTERNAL", 0.08, 0.01, []),
            ("score shard 0", "search", "INTERNAL", 0.7, 0.1, []),
            ("score shard 1", "search", "INTERNAL", 0.62, 0.1, []),
            ("score shard 2", "search", "INTERNAL", 0.81, 0.1, []),
        ]),
    ],
)  # fmt: skip
ROUTES = ((BROWSE, 40, 6), (SEARCH, 90, 3), (CHECKOUT, 240, 2))


def _attributes(kind: str, name: str, service: str) -> Json:
    if kind == "SERVER":
        method, _, route = name.partition(" ")
        return {
            "http.request.method": method, "http.route": route, "http.response.status_code": 200,
            "url.scheme": "https", "server.address": f"{service}.shop.internal", "network.protocol.version": "1.1",
            "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        }  # fmt: skip
    if service == "postgres":
        return {"db.system.name": "postgresql", "db.query.text": f"{name} WHERE id = ANY($1)", "db.namespace": "shop"}
    if service == "redis":
        return {"db.system.name": "redis", "db.operation.name": name.partition(" ")[0]}
    return {"shop.tenant": "north", "shop.items": [3, 7], "shop.cart": {"total": 81.5, "coupon": None}}


def _grow(spans: list[Span], call: Call, parent: int, time: tuple[int, int], dice: random.Random) -> None:
    name, service, kind, share, offset, children = call
    start, whole = time
    jitter = dice.uniform(0.9, 1.1)
    span = Span(
        f"{dice.getrandbits(64):016x}", parent, service, name, start + int(whole * offset),
        int(whole * share * (jitter if parent >= 0 else 1)), kind, attributes=_attributes(kind, name, service),
    )  # fmt: skip
    at = len(spans)
    spans.append(span)
    for child in children:
        _grow(spans, child, at, (span.start, span.duration), dice)


def _fail(spans: list[Span]) -> None:
    for span in spans:
        if span.service == "payments" and span.kind in {"SERVER", "CLIENT"}:
            span.status, span.message = 2, "card_declined: insufficient funds"
            span.attributes["error.type"] = "CardDeclinedError"
        if span.kind == "CLIENT" and span.service == "payments":
            details = {"exception.type": "payments.errors.CardDeclinedError", "exception.message": span.message}
            span.events = [
                {"name": "retry", "time_unix_nano": str(span.start + span.duration // 3), "attributes": {"attempt": 2}},
                {
                    "name": "exception", "time_unix_nano": str(span.start + span.duration),
                    "attributes": {**details, "exception.stacktrace": STACK_TRACE},
                },
            ]  # fmt: skip
    spans[0].status, spans[0].attributes["http.response.status_code"] = 2, 502


def traces(now: int, count: int = 240) -> list[Trace]:
    """Traces of the last hour, the newest first; one checkout in five fails, one request in twenty is slow."""
    dice = random.Random(20261125)  # noqa: S311 - the same data every time
    found: list[Trace] = []
    for at in range(count):
        route, typical, _ = dice.choices(ROUTES, [weight for _, _, weight in ROUTES])[0]
        slow = dice.choice([6, 9, 14]) if dice.random() < 0.05 else 1
        whole = int(typical * MS * slow * dice.lognormvariate(0, 0.32))
        start = now - int(HOUR * 0.96 * at / count) - dice.randrange(10_000) * MS
        spans: list[Span] = []
        _grow(spans, route, -1, (start, whole), dice)
        if route is CHECKOUT and dice.random() < 0.2:
            _fail(spans)
        found.append(Trace(f"{dice.getrandbits(128):032x}", spans))
    _link(found)
    return sorted(found, key=lambda trace: -trace.start)


def _link(found: list[Trace]) -> None:
    """Let each message say which request it came from, as instrumentations of queues do."""
    for trace, other in itertools.pairwise(found):
        for span in trace.spans:
            if span.kind == "CONSUMER":
                link = {"trace_id": other.trace_id, "span_id": other.spans[0].span_id}
                span.links = [{**link, "attributes": {"messaging.operation.type": "receive"}}]


def logs(found: list[Trace]) -> list[Json]:
    """Log records that belong to the traces, the newest first."""
    records = []
    for trace in found:
        for span in trace.spans:
            if span.kind != "SERVER":
                continue
            failed = span.status == 2
            severity = (17, "ERROR") if failed else (13, "WARN") if span.duration > 800 * MS else (9, "INFO")
            status = span.attributes.get("http.response.status_code", 200)
            scope = f"{span.service}.access"
            body = f"{span.name} answered {status} in {span.duration / MS:.1f} ms"
            if failed and span.service == "payments":
                body = '{"event": "charge_failed", "reason": "insufficient funds", "card": {"last4": "4242"}}'
            records.append(
                {
                    "time_unix_nano": str(span.start + span.duration), "severity_number": severity[0],
                    "severity_text": severity[1], "body": body, "event_name": "", "service": span.service,
                    "trace_id": trace.trace_id, "span_id": span.span_id,
                    "attributes": attributes_of({"logger.name": scope, "code.line.number": 88}),
                    "resource": attributes_of({"service.name": span.service}), "scope": {"name": scope},
                }
            )  # fmt: skip
    return sorted(records, key=lambda record: -int(record["time_unix_nano"]))


METRICS: list[Json] = [
    {
        "name": name, "type": kind, "unit": unit, "description": text, "points": 4320, "series": 12,
        "attributes": ["http.route", "http.request.method", "server.address"], "services": ["storefront", "catalog"],
        "is_monotonic": name == "shop.orders",
    }
    for name, kind, unit, text in (
        ("http.server.request.duration", "histogram", "s", "Duration of HTTP server requests."),
        ("http.server.active_requests", "sum", "{request}", "Requests that are being answered."),
        ("process.memory.usage", "gauge", "By", "Physical memory in use."),
        ("process.cpu.utilization", "gauge", "1", "Share of the CPU time that was available."),
        ("shop.orders", "sum", "{order}", "Orders that were paid."),
        ("db.client.operation.duration", "histogram", "s", "Duration of database client operations."),
    )
]  # fmt: skip
BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0]
STEPS = 60


def metric(now: int, query: dict[str, list[str]], found: list[Trace]) -> Json:
    """Values of a metric over the last hour."""
    aggregation = query.get("aggregation", ["avg"])[0]
    groups = query.get("group_by", [])
    dice = random.Random(aggregation + query["name"][0])  # noqa: S311 - the same data every time
    times = [now / MS - (STEPS - at) * 60_000 for at in range(STEPS)]
    exemplars = [
        {
            "time_unix_nano": str(trace.start), "value": trace.duration / 1e9, "trace_id": trace.trace_id,
            "span_id": trace.spans[0].span_id,
        }
        for trace in found[:: max(1, len(found) // 9)]
        if trace.duration < 1e9
    ]  # fmt: skip
    if "duration" not in query["name"][0]:
        exemplars = []
    answer: Json = {"times_unix_ms": times, "series": [], "series_left_out": 0, "exemplars": exemplars}
    if aggregation == "heatmap":
        peaks = [3.2 + math.sin(at / 9) + (1.5 if 40 < at < 46 else 0) for at in range(STEPS)]
        counts = [
            [int(60 * math.exp(-((bucket - peak) ** 2) / 1.8) + dice.random() * 2) for peak in peaks]
            for bucket in range(len(BOUNDS) + 1)
        ]
        return answer | {"heatmap": {"bounds": BOUNDS, "counts": counts}}
    level = {"p50": 0.04, "p90": 0.21, "p99": 0.62}.get(aggregation, 24.0)
    labels = ["/products", "/search", "/checkout", "/cart"] if groups else [""]
    for at, label in enumerate(labels):
        wave = [
            level * (1 + 0.3 * at) * (1 + 0.2 * math.sin(step / 7 + at) + 0.08 * dice.random()) for step in range(STEPS)
        ]
        answer["series"].append({"labels": dict.fromkeys(groups, label), "values": [*wave[:30], None, *wave[31:]]})
    return answer
