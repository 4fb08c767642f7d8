"""Runs one program over our SDK and over the stock one, and gives both exports as protobuf, equal up to times."""

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

Program = Callable[[Any, Callable[[], None]], None]

_RESOURCE = {"service.name": "shop", "replicas": 3}


class Engine:
    """Stands in for the native engine: keeps the callback that makes requests."""

    def __init__(self) -> None:
        self.callback: Callable[[float], bytes | None] | None = None

    def collect_metrics(self, callback: Callable[[float], bytes | None] | None, _exporter: int = 0) -> None:
        self.callback = callback

    def request(self) -> ExportMetricsServiceRequest:
        assert self.callback is not None
        return ExportMetricsServiceRequest.FromString(self.callback(10.0) or b"")

    def force_flush(self, _timeout_s: float) -> bool:
        return True


def sdk(name: str) -> SimpleNamespace:
    """Return the modules of one SDK: `millrace.sdk` or `opentelemetry.sdk`."""
    parts = {part: importlib.import_module(f"{name}.{part}") for part in ("metrics", "metrics.export", "metrics.view")}
    resources: ModuleType = importlib.import_module(f"{name}.resources")
    return SimpleNamespace(
        metrics=parts["metrics"],
        export=parts["metrics.export"],
        view=parts["metrics.view"],
        resource=resources.Resource(_RESOURCE),
        is_ours=name.startswith("millrace"),
    )


OURS = sdk("millrace.sdk")
STOCK = sdk("opentelemetry.sdk")


def exports(
    sdk: SimpleNamespace,
    program: Program,
    *,
    temporality: str = "CUMULATIVE",
    views: Callable[[SimpleNamespace], list[Any]] = lambda _sdk: [],
    aggregation: Callable[[SimpleNamespace], dict[type, Any]] = lambda _sdk: {},
    exemplar_filter: str = "TraceBasedExemplarFilter",
) -> list[ExportMetricsServiceRequest]:
    """Run a program, which is given a provider and a function that collects; return what each collection exports."""
    kinds = (
        "Counter",
        "UpDownCounter",
        "Histogram",
        "_Gauge",
        "ObservableCounter",
        "ObservableUpDownCounter",
        "ObservableGauge",
    )
    wanted = getattr(sdk.export.AggregationTemporality, temporality)
    preferred = {getattr(sdk.metrics, kind): wanted for kind in kinds}
    engine = Engine()
    if sdk.is_ours:
        reader = sdk.export.EngineMetricReader(engine, preferred, aggregation(sdk))
    else:
        reader = sdk.export.InMemoryMetricReader(preferred, aggregation(sdk))
    provider = sdk.metrics.MeterProvider(
        metric_readers=[reader],
        resource=sdk.resource,
        views=views(sdk),
        exemplar_filter=getattr(sdk.metrics, exemplar_filter)(),
        shutdown_on_exit=False,
    )
    found: list[ExportMetricsServiceRequest] = []

    def collect() -> None:
        if sdk.is_ours:
            found.append(engine.request())
        else:
            data = reader.get_metrics_data()
            found.append(encode_metrics(data) if data else ExportMetricsServiceRequest())

    program(provider, collect)
    collect()
    return found


def assert_same(program: Program, **options: Any) -> list[ExportMetricsServiceRequest]:
    """Assert that both SDKs export the same for a program, up to times; return what ours exports."""
    ours = exports(OURS, program, **options)
    stock = exports(STOCK, program, **options)
    assert [comparable(request) for request in ours] == [comparable(request) for request in stock]
    return ours


def comparable(request: ExportMetricsServiceRequest) -> list[Any]:
    """Return a request as plain values without times, its points in the order of their attributes."""
    return [
        (
            str(resource.resource),
            resource.schema_url,
            [
                (str(scope.scope), scope.schema_url, [_metric(metric) for metric in scope.metrics])
                for scope in resource.scope_metrics
            ],
        )
        for resource in request.resource_metrics
    ]


def _metric(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    told = (getattr(data, "aggregation_temporality", None), getattr(data, "is_monotonic", None))
    points = sorted((_point(point) for point in data.data_points), key=repr)
    return metric.name, metric.description, metric.unit, kind, told, points


def _point(point: Message) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field, value in point.ListFields():
        if field.name in {"start_time_unix_nano", "time_unix_nano"}:
            continue
        if field.name == "attributes":
            told[field.name] = sorted(str(pair) for pair in value)
        elif field.name in {"positive", "negative"}:
            # The stock SDK writes empty buckets behind the last one that is not.
            told[field.name] = {value.offset + place: count for place, count in enumerate(value.bucket_counts) if count}
        elif field.name == "exemplars":
            told[field.name] = [_point(exemplar) for exemplar in value]
        else:
            told[field.name] = list(value) if isinstance(value, Iterator) or hasattr(value, "append") else value
    return {key: value for key, value in told.items() if value not in ({}, [])}


def points(request: ExportMetricsServiceRequest, name: str) -> list[Any]:
    """Return the points of a metric."""
    return [
        point
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in getattr(metric, str(metric.WhichOneof("data"))).data_points
    ]
