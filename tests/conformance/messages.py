"""OTLP requests made with the generated protobuf classes, which are the oracle of these tests, and their items."""

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2 as profiles
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

Signal: TypeAlias = Literal["traces", "metrics", "logs", "profiles"]
Request: TypeAlias = Any
"""An export request of any signal; the stubs of the generated classes have no type for that."""

SIGNALS: Final[tuple[Signal, ...]] = ("traces", "metrics", "logs", "profiles")

REQUESTS: Final[dict[Signal, type[Message]]] = {
    "traces": traces.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
    "profiles": profiles.ExportProfilesServiceRequest,
}
RESPONSES: Final[dict[Signal, type[Message]]] = {
    "traces": traces.ExportTraceServiceResponse,
    "metrics": metrics.ExportMetricsServiceResponse,
    "logs": logs.ExportLogsServiceResponse,
    "profiles": profiles.ExportProfilesServiceResponse,
}
HTTP_PATHS: Final[dict[Signal, str]] = {
    "traces": "/v1/traces",
    "metrics": "/v1/metrics",
    "logs": "/v1/logs",
    "profiles": "/v1development/profiles",
}
GRPC_PATHS: Final[dict[Signal, str]] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "profiles": "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
}
REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
    "logs": "rejected_log_records",
    "profiles": "rejected_profiles",
}

TRACE_ID: Final = bytes(range(1, 17))
SPAN_ID: Final = bytes(range(1, 9))
NOW: Final = 1_700_000_000_000_000_000


def request(signal: Signal, items: int = 1, name: str = "a") -> Request:
    """A valid request with so many items, which are called `name` with their number."""
    message: Request = REQUESTS[signal]()
    match signal:
        case "traces":
            scope = message.resource_spans.add().scope_spans.add()
            for number in range(items):
                add_span(scope, name=f"{name}{number}", span_id=(number + 1).to_bytes(8, "big"))
        case "metrics":
            scope = message.resource_metrics.add().scope_metrics.add()
            for number in range(items):
                scope.metrics.add(name=f"{name}{number}").gauge.data_points.add(time_unix_nano=NOW, as_int=number)
        case "logs":
            scope = message.resource_logs.add().scope_logs.add()
            for number in range(items):
                scope.log_records.add(time_unix_nano=NOW).body.string_value = f"{name}{number}"
        case "profiles":
            _fill_profiles(message, items, name)
    return message


def add_span(scope: Any, **fields: Any) -> Any:  # noqa: ANN401 - a scope and a span of the oracle
    """Add a valid span; `fields` override what it has."""
    times = {"start_time_unix_nano": NOW, "end_time_unix_nano": NOW + 1}
    return scope.spans.add(**({"trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "a"} | times | fields))


def _fill_profiles(message: Request, items: int, name: str) -> None:
    """Profiles that refer to their names in the dictionary of the request, by an attribute and by a sample type."""
    tables = message.dictionary
    tables.string_table.append("")
    for table in (
        tables.mapping_table, tables.location_table, tables.function_table, tables.link_table,
        tables.attribute_table, tables.stack_table,
    ):  # fmt: skip
        table.add()
    scope = message.resource_profiles.add().scope_profiles.add()
    for number in range(items):
        tables.string_table.append(f"{name}{number}")
        index = len(tables.string_table) - 1
        tables.attribute_table.add(key_strindex=index).value.string_value = f"{name}{number}"
        profile = scope.profiles.add(time_unix_nano=NOW, profile_id=(number + 1).to_bytes(16, "big"))
        profile.sample_type.type_strindex = index
        profile.attribute_indices.append(len(tables.attribute_table) - 1)
        profile.samples.add().values.append(number)


def items(signal: Signal, message: Request) -> Iterator[Any]:
    """The items of a request: spans, data points, log records or profiles."""
    match signal:
        case "traces":
            yield from (span for r in message.resource_spans for s in r.scope_spans for span in s.spans)
        case "logs":
            yield from (record for r in message.resource_logs for s in r.scope_logs for record in s.log_records)
        case "profiles":
            yield from (profile for r in message.resource_profiles for s in r.scope_profiles for profile in s.profiles)
        case "metrics":
            for metric in (metric for r in message.resource_metrics for s in r.scope_metrics for metric in s.metrics):
                kind = metric.WhichOneof("data")
                yield from getattr(metric, kind).data_points if kind else ()


def names(signal: Signal, message: Request) -> list[str]:
    """What `request` called the items, in order."""
    match signal:
        case "traces":
            return [span.name for span in items(signal, message)]
        case "logs":
            return [record.body.string_value for record in items(signal, message)]
        case "profiles":
            strings = message.dictionary.string_table
            return [strings[profile.sample_type.type_strindex] for profile in items(signal, message)]
        case "metrics":
            scopes = (scope for r in message.resource_metrics for scope in r.scope_metrics)
            return [metric.name for scope in scopes for metric in scope.metrics]


def invalid(signal: Signal, good: int, bad: int) -> Request:
    """A request of which `bad` items break the data model; log records never do."""
    message = request(signal, good + bad)
    for item in list(items(signal, message))[good:]:
        match signal:
            case "traces":
                item.trace_id = bytes(16)
            case "metrics":
                item.time_unix_nano = 0
            case "profiles":
                item.profile_id = b"short"
            case "logs":
                raise ValueError("no rule of the data model rejects a log record")
    return message
