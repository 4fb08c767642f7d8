"""Traces in the shape of the OpenTelemetry demo, from a fixed seed: services, pods, operations, ids, times, values."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = 20
PODS = 55
OPERATIONS = 85
ERROR_SHARE = 0.0035
START_NS = 1_750_000_000_000_000_000
PRODUCTS = tuple(f"{index:02X}PRODUCT{index * 7919 % 1000:03d}" for index in range(40))
REQUEST_ID_SHARE, CACHED_SHARE, EVENT_SHARE = 0.5, 0.7, 0.28
_METHODS = ("GET", "GET", "GET", "POST", "PUT")
_WORDS = (
    *("cart", "checkout", "product", "currency", "payment", "shipping", "email"),
    *("recommendation", "ad", "quote", "frontend", "image", "flag"),
)
Values: TypeAlias = "dict[str, str | int | bool]"


class Operation(NamedTuple):
    """What one service does under one name."""

    service: int
    name: str
    kind: int
    family: str
    mean_ns: int


def requests(spans: int, batch: int, *, seed: int = 20_261_125) -> list[bytes]:
    """Return export requests with `batch` spans each, as a gateway sends them: one `ResourceSpans` for each pod."""
    made = _spans(random.Random(seed), spans)  # noqa: S311 - data that must be the same each time
    return [_request(made[start : start + batch]) for start in range(0, len(made), batch)]


def _operations(draw: random.Random) -> list[Operation]:
    families = ("http", "rpc", "db", "messaging", "internal")
    operations = []
    for index in range(OPERATIONS):
        service, family = index % SERVICES, families[index % len(families)]
        word = _WORDS[service % len(_WORDS)]
        name = (
            f"{draw.choice(_METHODS)} /api/{word}/{index}" if family == "http" else f"oteldemo.{word}/{family}{index}"
        )
        kind = {"http": 2, "rpc": 3, "db": 3, "messaging": 4, "internal": 1}[family]
        operations.append(Operation(service, name, kind, family, draw.choice((80_000, 600_000, 4_000_000, 30_000_000))))
    return operations


def _spans(draw: random.Random, count: int) -> list[tuple[int, Span]]:
    """Spans with the numbers of their pods, in the order of their ends."""
    operations = _operations(draw)
    pods = {service: [pod for pod in range(PODS) if pod % SERVICES == service] for service in range(SERVICES)}
    done: list[tuple[int, Span]] = []
    clock = START_NS
    while len(done) < count:
        clock += int(draw.expovariate(1 / 40_000_000))
        trace = draw.randbytes(16)
        session, known = str(uuid.UUID(int=draw.getrandbits(128), version=4)), draw.randrange(2_000)
        parents: list[Span] = []
        for depth in range(draw.randint(4, 24)):
            operation = operations[min(int(draw.expovariate(1 / 18)), OPERATIONS - 1)]
            start = (parents[-1].start_time_unix_nano if parents else clock) + int(draw.expovariate(1 / 300_000))
            span = Span(
                trace_id=trace,
                span_id=draw.randbytes(8),
                parent_span_id=draw.choice(parents).span_id if depth else b"",
                name=operation.name,
                kind=operation.kind,  # type: ignore[arg-type]
                flags=257,
                start_time_unix_nano=start,
                end_time_unix_nano=start + int(draw.lognormvariate(0, 0.7) * operation.mean_ns),
            )
            _describe(draw, span, operation, session, known)
            parents.append(span)
            done.append((draw.choice(pods[operation.service]), span))
    done.sort(key=lambda pair: pair[1].end_time_unix_nano)
    return done[:count]


def _describe(draw: random.Random, span: Span, operation: Operation, session: str, known: int) -> None:
    """Give a span its attributes, events and links."""
    failed = draw.random() < ERROR_SHARE
    values: Values = {"thread.name": f"worker-{draw.randrange(16)}", "thread.id": draw.randrange(16)}
    values |= _FAMILIES[operation.family](draw, operation, session, known)
    for key, value in values.items():
        target = span.attributes.add(key=key).value
        if isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, int):
            target.int_value = value
        else:
            target.string_value = value
    if operation.family == "messaging":
        span.links.add(trace_id=draw.randbytes(16), span_id=draw.randbytes(8))
    if failed:
        _fail(draw, span)
    elif draw.random() < EVENT_SHARE:
        event = span.events.add(time_unix_nano=span.start_time_unix_nano + draw.randrange(50_000), name="message")
        event.attributes.add(key="message.id").value.int_value = draw.randrange(4)


def _http(draw: random.Random, operation: Operation, session: str, known: int) -> Values:  # noqa: ARG001 # one of several
    method, path = operation.name.split()
    values: Values = {
        "http.request.method": method,
        "url.path": f"{path}/{draw.choice(PRODUCTS)}",
        "http.response.status_code": draw.choice((200, 200, 200, 200, 304, 404)),
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
        "client.port": draw.randrange(32_768, 61_000),
        "session.id": session,
        "http.response.body.size": draw.randrange(200_000),
    }
    if draw.random() < REQUEST_ID_SHARE:
        values["guid:x-request-id"] = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    return values


def _rpc(draw: random.Random, operation: Operation, session: str, known: int) -> Values:  # noqa: ARG001 # one of several
    service, method = operation.name.split("/")
    return {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": method,
        "rpc.grpc.status_code": draw.choice((0, 0, 0, 0, 5)),
        "server.address": f"10.0.{operation.service}.7",
        "network.peer.port": draw.randrange(32_768, 61_000),
    }


def _db(draw: random.Random, operation: Operation, session: str, known: int) -> Values:  # noqa: ARG001 # one of several
    text = f"SELECT * FROM orders WHERE customer = {known} AND product = '{draw.choice(PRODUCTS)}'"  # noqa: S608 # nobody runs it
    return {"db.system": "postgresql", "db.name": "shop", "db.operation.name": "SELECT", "db.query.text": text}


def _messaging(draw: random.Random, operation: Operation, session: str, known: int) -> Values:  # noqa: ARG001 # one of several
    offset = known * 1000 + draw.randrange(1000)
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": "orders",
        "messaging.kafka.message.offset": offset,
    }


def _internal(draw: random.Random, operation: Operation, session: str, known: int) -> Values:  # noqa: ARG001 # one of several
    return {
        "app.product.id": draw.choice(PRODUCTS),
        "app.cached": draw.random() < CACHED_SHARE,
        "app.items": draw.randrange(9),
    }


_FAMILIES: dict[str, Callable[[random.Random, Operation, str, int], Values]] = {
    "http": _http,
    "rpc": _rpc,
    "db": _db,
    "messaging": _messaging,
    "internal": _internal,
}


def _fail(draw: random.Random, span: Span) -> None:
    span.status.code = 2  # type: ignore[assignment]
    lines = (
        f"  at shop.module{draw.randrange(60)}.call (file{draw.randrange(40)}.py:{draw.randrange(900)})"
        for _ in range(draw.randint(8, 22))
    )
    event = span.events.add(time_unix_nano=span.end_time_unix_nano - 1_000, name="exception")
    event.attributes.add(key="exception.type").value.string_value = "TimeoutError"
    event.attributes.add(key="exception.stacktrace").value.string_value = "\n".join(lines)


def _request(spans: list[tuple[int, Span]]) -> bytes:
    groups: dict[int, ResourceSpans] = {}
    request = ExportTraceServiceRequest()
    for pod, span in spans:
        if pod not in groups:
            groups[pod] = request.resource_spans.add()
            _resource(groups[pod], pod)
        groups[pod].scope_spans[0].spans.append(span)
    return request.SerializeToString()


def _resource(group: ResourceSpans, pod: int) -> None:
    service = _WORDS[pod % SERVICES % len(_WORDS)]
    identity = {
        "service.name": f"{service}-{pod % SERVICES}",
        "service.version": "1.12.0",
        "service.instance.id": str(uuid.UUID(int=pod * 0x1234_5678_9ABC_DEF0)),
        "k8s.pod.name": f"{service}-{pod * 7919:06x}",
        "k8s.node.name": f"node-{pod % 7}",
        "k8s.namespace.name": "otel-demo",
        "cloud.provider": "aws",
        "cloud.region": "eu-central-1",
        "telemetry.sdk.language": ("go", "java", "python", "nodejs")[pod % 4],
        "telemetry.sdk.version": "1.30.0",
    }
    for key, value in identity.items():
        group.resource.attributes.add(key=key).value.string_value = value
    for index in range(21):
        group.resource.attributes.add(
            key=f"k8s.label.{index}"
        ).value.string_value = f"value-{index}-{pod % (index + 1)}"
    scope = group.scope_spans.add()
    scope.scope.name = f"instrumentation.{pod % SERVICES}"
    scope.scope.version = "0.50.0"
