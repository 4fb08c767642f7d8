"""`service.telemetry`: what the gateway tells about itself."""

import os

from millrace.endpoint import parse_host_port
from millrace.gateway.config import exporters
from millrace.gateway.config.components import Resolved
from millrace.gateway.config.endpoints import LISTEN, URL, listen_address
from millrace.gateway.config.kinds import Choice, Ignored, Integer, ListOf, MapOf, Schema, Secret, Text, Unsupported
from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.tree import Node, Scalar

__all__ = ["TELEMETRY", "prometheus_address", "resolve_telemetry"]

_FOREVER = Ignored("counters always have the names that the Collector's dashboards expect")
_CREDENTIALS_IN_FILES = "use https:// and the machine's own authorities"


def _host_fault(host: str) -> str | None:
    try:
        _, port = parse_host_port(_bracketed(host))
    except ValueError as error:
        return str(error)
    return None if port is None else "the port is a setting of its own"


def _bracketed(host: str) -> str:
    """Return the host as it stands before a port: IPv6 in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def prometheus_address(values: Values) -> str:
    """Return `host:port` of a pull reader."""
    return f"{_bracketed(values['host'])}:{values['port']}"


_PROMETHEUS = Group(
    Setting("host", Text("a host name or address", _host_fault), "Address to listen on.", "localhost"),
    Setting("port", Integer(0, 65_535), "Port to listen on; 0 lets the system choose.", 8_888),
    *(
        Setting(name, _FOREVER, "")
        for name in (
            "without_scope_info",
            "without_type_suffix",
            "without_units",
            "with_resource_constant_labels",
            "translation_strategy",
        )
    ),
    optional=True,
)

_OTLP_PUSH = Group(
    Setting(
        "protocol",
        Choice("http/protobuf", "grpc", absent={"http/json": "use http/protobuf"}),
        "How to send.",
        "http/protobuf",
    ),
    Setting("endpoint", URL, "Whole URL for http/protobuf, http://host:port for grpc.", required=True),
    Setting("headers", MapOf(Secret(), "headers"), "Added to each request. Values are never shown.", {}),
    Setting("compression", Choice("none", "gzip", "zstd"), "How request bodies are compressed.", "none"),
    Setting("timeout", Integer(1), "Longest time for one attempt, in milliseconds.", 10_000),
    Setting("insecure", Ignored("the scheme of the endpoint decides"), ""),
    Setting("certificate", Unsupported(_CREDENTIALS_IN_FILES), ""),
    Setting("client_certificate", Unsupported(_CREDENTIALS_IN_FILES), ""),
    Setting("client_key", Unsupported(_CREDENTIALS_IN_FILES), ""),
    Setting("temporality_preference", Choice("cumulative"), "Sums are cumulative.", "cumulative"),
    Setting("default_histogram_aggregation", Ignored("histograms have explicit buckets"), ""),
    optional=True,
)


def _check_reader(values: Values, problems: Problems) -> None:
    if (values["pull"] is None) == (values["periodic"] is None):
        problems.error(values.place, "a reader is either pull or periodic")


def _check_pull(values: Values, problems: Problems) -> None:
    if all(value is None for value in values["exporter"].values()):
        problems.error(values.place, "a pull reader needs exporter.prometheus")


def _check_periodic(values: Values, problems: Problems) -> None:
    if all(values["exporter"][name] is None for name in ("otlp", "otlp_http", "otlp_grpc")):
        problems.error(values.place, "a periodic reader needs exporter.otlp with an endpoint")


_READER = Group(
    Setting(
        "pull",
        Group(
            Setting(
                "exporter",
                Group(
                    Setting("prometheus", _PROMETHEUS, "Serve /metrics."),
                    Setting("prometheus/development", _PROMETHEUS, "The same, by its newer name."),
                ),
                "How metrics are fetched.",
            ),
            Setting("producers", Unsupported("only the gateway's own metrics are served"), ""),
            Setting("cardinality_limits", Ignored("the number of series is fixed"), ""),
            optional=True,
            check=_check_pull,
        ),
        "Metrics are fetched.",
    ),
    Setting(
        "periodic",
        Group(
            Setting("interval", Integer(100), "Time between two pushes, in milliseconds.", 60_000),
            Setting("timeout", Ignored("exporter.otlp.timeout bounds an attempt"), ""),
            Setting(
                "exporter",
                Group(
                    Setting("otlp", _OTLP_PUSH, "Push as OTLP."),
                    Setting("otlp_http", _OTLP_PUSH, "The same over HTTP, by its newer name."),
                    Setting("otlp_grpc", _OTLP_PUSH, "The same over gRPC, by its newer name."),
                    Setting("console", Unsupported("read /metrics, or push to a gateway with the debug exporter"), ""),
                ),
                "Where metrics are pushed.",
            ),
            Setting("producers", Unsupported("only the gateway's own metrics are pushed"), ""),
            Setting("cardinality_limits", Ignored("the number of series is fixed"), ""),
            optional=True,
            check=_check_periodic,
        ),
        "Metrics are pushed.",
    ),
    check=_check_reader,
)


class _AttributeValue(Text):
    """Text, or nothing at all: `service.name: null` removes a default."""

    def read(self, node: Node, problems: Problems) -> str | None:
        return None if isinstance(node, Scalar) and node.value is None else super().read(node, problems)

    def schema(self) -> Schema:
        return {"type": ["string", "null"]}


TELEMETRY = Group(
    Setting(
        "logs",
        Group(
            Setting(
                "level",
                Choice("debug", "info", "warn", "error", "DEBUG", "INFO", "WARN", "ERROR"),
                "Least severity that is written to standard error.",
                "info",
            ),
            *(
                Setting(name, Ignored("logs are lines on standard error"), "")
                for name in (
                    "encoding",
                    "development",
                    "sampling",
                    "output_paths",
                    "error_output_paths",
                    "initial_fields",
                    "disable_caller",
                    "disable_stacktrace",
                    "disable_zap_resource",
                )
            ),
            Setting("processors", Unsupported("logs are lines on standard error"), ""),
        ),
        "The gateway's own logs.",
    ),
    Setting(
        "metrics",
        Group(
            Setting("level", Choice("none", "basic", "normal", "detailed"), "none switches metrics off.", "normal"),
            Setting("address", LISTEN, "Older form of a pull reader for Prometheus."),
            Setting("readers", ListOf(_READER, "a list of readers"), "Default: /metrics on localhost:8888."),
            Setting("views", Unsupported("choose the series where they are stored"), ""),
        ),
        "The gateway's own metrics.",
    ),
    Setting("traces", Ignored("a gateway records no traces of itself"), ""),
    Setting("resource", MapOf(_AttributeValue(), "attributes"), "Attributes of everything above.", {}),
)


def resolve_telemetry(values: Values, version: str, problems: Problems) -> Resolved:
    """Return `service.telemetry` as the engine reads it."""
    metrics = values["metrics"]
    pull: list[Resolved] = []
    push: list[Resolved] = []
    if metrics["level"] != "none":
        for reader in metrics["readers"] or ():
            (push if reader["periodic"] else pull).append(_resolve_reader(reader, metrics.at("readers"), problems))
        if metrics["address"]:
            pull.append({"endpoint": listen_address(metrics["address"])})
        elif metrics["readers"] is None:
            pull.append({"endpoint": "127.0.0.1:8888"})
    return {
        "resource": _resource(values["resource"], version),
        "logs_level": values["logs"]["level"].lower(),
        "metrics_level": metrics["level"],
        "metrics_pull": pull,
        "metrics_push": push,
    }


def _resource(given: dict[str, str | None], version: str) -> Resolved:
    instance = os.urandom(16).hex()
    uuid = "-".join((instance[:8], instance[8:12], "4" + instance[13:16], "8" + instance[17:20], instance[20:]))
    attributes = {"service.name": "millrace", "service.version": version, "service.instance.id": uuid} | given
    return {name: value for name, value in attributes.items() if value is not None}


def _resolve_reader(reader: Values, place: Place, problems: Problems) -> Resolved:
    if reader["pull"]:
        exporter = reader["pull"]["exporter"]
        prometheus = exporter["prometheus"] or exporter["prometheus/development"]
        return {"endpoint": listen_address(prometheus_address(prometheus))}
    periodic = reader["periodic"]
    name, otlp = next((name, otlp) for name, otlp in periodic["exporter"].items() if otlp is not None)
    return {"interval_ms": periodic["interval"], "exporter": _resolve_push(name, otlp, place, problems)}


def _resolve_push(name: str, otlp: Values, place: Place, problems: Problems) -> Resolved:
    """Return the exporter of a push reader: its settings, and the defaults of the exporter of that protocol."""
    grpc = name == "otlp_grpc" or (name == "otlp" and otlp["protocol"] == "grpc")
    component = exporters.OTLP if grpc else exporters.OTLP_HTTP
    values = component.settings.defaults(place, Problems())  # without the endpoint, which follows
    values |= {
        "endpoint" if grpc else "metrics_endpoint": otlp["endpoint"],
        "headers": otlp["headers"],
        "compression": otlp["compression"],
        "timeout": otlp["timeout"],
    }
    # The next push carries newer values of the same counters: repeating or queueing the old ones would be waste.
    values["retry_on_failure"]["enabled"] = values["sending_queue"]["enabled"] = False
    return component.resolve(values, problems)
