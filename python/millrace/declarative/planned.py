"""Makes of a declarative configuration what the SDK is put together from."""

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

from millrace.declarative.kinds import Chosen
from millrace.endpoint import grpc_endpoint, header_name_fault, header_value_fault
from millrace.exporter import SIGNAL_PATHS, client_tls, otlp_grpc, otlp_http, sending
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.settings import Values
from millrace.sdk import resources
from millrace.sdk.assembly import Plan
from millrace.sdk.otlp_exporter import RETRY, sending_queue
from millrace.sdk.settings import QUEUE_BYTES_MAX, SIGNALS, SdkSettings

__all__ = ["Declaration", "declaration"]

_SECTIONS = {"traces": "tracer_provider", "metrics": "meter_provider", "logs": "logger_provider"}
_LIMITLESS_MS = 24 * 3600 * 1_000
_LEVELS = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50}
_DETECTORS: Mapping[str, type[resources.ResourceDetector]] = {
    "host": resources.HostResourceDetector,
    "process": resources.ProcessResourceDetector,
    "service": resources.ServiceInstanceIdResourceDetector,
}


class Declaration(NamedTuple):
    """What a file declares."""

    plan: Plan | None
    """`None` where the SDK is disabled."""
    propagators: list[str] | None
    """Names in their order; `None` leaves none, as the format says."""


def declaration(values: Values, problems: Problems) -> Declaration:
    """Return what the values of a file amount to; what cannot be is reported."""
    if values["log_level"]:
        level = _LEVELS[values["log_level"].rstrip("234")]
        logging.getLogger("millrace").setLevel(level)
    propagators = _propagators(values["propagator"])
    if values["disabled"]:
        return Declaration(None, propagators)
    signals = tuple(signal for signal in SIGNALS if values[_SECTIONS[signal]] is not None)
    exports = {signal: _exports(signal, values[_SECTIONS[signal]], problems) for signal in SIGNALS}
    settings = SdkSettings(
        {signal: native for signal, (native, _) in exports.items()},
        {signal: names for signal, (_, names) in exports.items()},
        (),
    )
    return Declaration(Plan(settings, signals, _resource(values["resource"]), options=_options(values)), propagators)


def _propagators(values: Values | None) -> list[str]:
    if values is None:
        return []
    listed = [name.strip() for name in (values["composite_list"] or "").split(",")]
    return list(dict.fromkeys(filter(None, [*(one.name for one in values["composite"] if one), *listed])))


def _exports(signal: str, provider: Values | None, problems: Problems) -> tuple[Any, list[str]]:
    """Return what the engine does for a signal, and the names of exporters in Python beside it."""
    natives: list[dict[str, Any]] = []
    names: list[str] = []
    chosen: list[Chosen | None] = []
    if provider is not None:
        chosen = provider["readers" if signal == "metrics" else "processors"] or []
    for one in filter(None, chosen):
        if one.values is None or one.values["exporter"] is None:
            continue  # reported already
        exporter: Chosen = one.values["exporter"]
        if exporter.name == "console" or one.name == "pull":
            names.append(_kind(exporter))
        else:
            natives.append(_native(signal, one, _exporter(signal, exporter, problems)))
            if signal != "metrics" and _batching(natives[-1]) != _batching(natives[0]):
                sentence = "one queue serves all processors of a signal: the batching of the first one counts"
                problems.warn(exporter.place, sentence)
    if signal == "metrics":
        return natives, names
    return (natives[0] | {"exporters": [to for one in natives for to in one["exporters"]]} if natives else None), names


def _kind(exporter: Chosen) -> str:
    return exporter.name.removesuffix("/development")


def _batching(native: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in native.items() if name != "exporters"}


def _native(signal: str, one: Chosen, exporter: Any) -> dict[str, Any]:  # noqa: ANN401 - as the engine reads it
    values = one.values
    if signal == "metrics":
        timeout_ms = values["timeout"] or _LIMITLESS_MS
        return {"exporter": exporter, "interval_ms": values["interval"], "timeout_ms": timeout_ms}
    batch = one.name == "batch"  # a simple processor waits for nothing
    return {
        "exporters": [exporter],
        "schedule_delay_ms": values["schedule_delay"] if batch else 0,
        "export_timeout_ms": (values["export_timeout"] or _LIMITLESS_MS) if batch else 30_000,
        "max_export_batch_size": values["max_export_batch_size"] if batch else None,
        "max_queue_size": values["max_queue_size"] if batch else None,
        "max_queue_bytes": QUEUE_BYTES_MAX,
    }


def _exporter(signal: str, chosen: Chosen, problems: Problems) -> dict[str, Any]:
    values = chosen.values
    grpc = chosen.name == "otlp_grpc"
    tls = values["tls"]
    if grpc:
        url = grpc_endpoint(values["endpoint"] or "http://localhost:4317", insecure=bool(tls["insecure"]))
    else:
        url = values["endpoint"] or f"http://localhost:4318{SIGNAL_PATHS[signal]}"
    common = sending(
        headers=_headers(values, problems),
        timeout_ms=values["timeout"] or _LIMITLESS_MS,
        compression=values["compression"],
        compression_level=None,
        tls=_tls(tls, problems) if url.startswith("https:") else None,
        retry=RETRY,
        queue=sending_queue(signal),
    )
    if grpc:
        return otlp_grpc(url, common)
    encoding = "json" if values["encoding"] == "json" else "proto"
    return otlp_http(url, dict.fromkeys(SIGNAL_PATHS, url), encoding, common)


def _headers(values: Values, problems: Problems) -> dict[str, str]:
    listed = (part.partition("=") for part in (values["headers_list"] or "").split(",") if part.strip())
    found = {unquote(name.strip()): unquote(value.strip()) for name, _, value in listed}
    found |= {name: value for name, value in (values["headers"] or {}).items() if value is not None}
    for name, value in found.items():
        fault = header_name_fault(name) or header_value_fault(value)
        if fault:
            problems.error(values.at("headers" if values["headers"] else "headers_list"), fault)
    return found


def _tls(values: Values, problems: Problems) -> dict[str, Any]:
    files = {name: values[name] for name in ("ca_file", "cert_file", "key_file")}
    for name, path in files.items():
        if path and not os.access(path, os.R_OK):
            problems.error(values.at(name), f"the file {path!r} cannot be read")
    if bool(files["cert_file"]) != bool(files["key_file"]):
        problems.error(values.place, "cert_file and key_file belong together", "set both, or none")
    return client_tls(**files)


def _resource(values: Values) -> resources.Resource:
    detectors = [_DETECTORS[one.name]() for one in values["detection/development"]["detectors"] if one]
    found = resources.get_aggregated_resources(detectors, resources.own())
    listed = (part.partition("=") for part in (values["attributes_list"] or "").split(",") if "=" in part)
    attributes: dict[str, Any] = {key.strip(): unquote(value.strip()) for key, _, value in listed}
    attributes |= values["attributes"] or {}
    resource = found.merge(resources.Resource(attributes, values["schema_url"]))
    if resource.attributes.get(resources.SERVICE_NAME):
        return resource
    return resource.merge(resources.Resource({resources.SERVICE_NAME: resources.default_service_name()}))


def _options(values: Values) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return, for each signal, what makes the further arguments of its provider when that is loaded."""
    everywhere = values["attribute_limits"]
    makers = {"traces": _of_tracer_provider, "metrics": _of_meter_provider, "logs": _of_logger_provider}
    return {
        signal: partial(makers[signal], values[section], everywhere)
        for signal, section in _SECTIONS.items()
        if values[section] is not None
    }


def _limit(values: Values, name: str, everywhere: Values) -> int | None:
    """Return a limit that is written, or the one for everything, or the default."""
    limit: int | None = values[name] if values.written(name) or everywhere[name] is None else everywhere[name]
    return limit


def _of_tracer_provider(provider: Values, everywhere: Values) -> dict[str, Any]:
    from millrace.sdk.trace import SpanLimits  # noqa: PLC0415 - only where traces are recorded

    limits = provider["limits"]
    length = _limit(limits, "attribute_value_length_limit", everywhere)
    count = _limit(limits, "attribute_count_limit", everywhere)
    unset = SpanLimits.UNSET
    span_limits = SpanLimits(
        max_attributes=count,
        max_span_attributes=count,
        max_events=limits["event_count_limit"],
        max_links=limits["link_count_limit"],
        max_event_attributes=limits["event_attribute_count_limit"],
        max_link_attributes=limits["link_attribute_count_limit"],
        max_attribute_length=unset if length is None else length,
        max_span_attribute_length=unset if length is None else length,
    )
    return {"span_limits": span_limits, "sampler": _sampler(provider["sampler"])}


def _sampler(chosen: Chosen | None) -> Any:  # noqa: ANN401 - one of the SDK's samplers
    from millrace.sdk.trace import sampling  # noqa: PLC0415 - only where traces are recorded

    if chosen is None:
        return sampling.ParentBased(sampling.ALWAYS_ON)
    match chosen.name:
        case "always_on":
            return sampling.ALWAYS_ON
        case "always_off":
            return sampling.ALWAYS_OFF
        case "trace_id_ratio_based":
            return sampling.TraceIdRatioBased(chosen.values["ratio"])
    parts = {name: _sampler(part) for name, part in chosen.values.items() if part is not None}
    return sampling.ParentBased(parts.pop("root", sampling.ALWAYS_ON), **parts)


def _of_logger_provider(provider: Values, everywhere: Values) -> dict[str, Any]:
    from millrace.sdk.logs import LogRecordLimits  # noqa: PLC0415 - only where logs are recorded

    limits = provider["limits"]
    length = _limit(limits, "attribute_value_length_limit", everywhere)
    count = _limit(limits, "attribute_count_limit", everywhere)
    unset = LogRecordLimits.UNSET
    return {"log_record_limits": LogRecordLimits(count, unset if length is None else length)}


def _of_meter_provider(provider: Values, everywhere: Values) -> dict[str, Any]:
    from millrace.sdk import metrics  # noqa: PLC0415 - only where metrics are recorded

    del everywhere
    filters: dict[str, Any] = {
        "always_on": metrics.AlwaysOnExemplarFilter,
        "always_off": metrics.AlwaysOffExemplarFilter,
        "trace_based": metrics.TraceBasedExemplarFilter,
    }
    return {
        "views": [_view(view) for view in provider["views"] if view],
        "exemplar_filter": filters[provider["exemplar_filter"]](),
        "preferences": _preferences(provider),
        "exporters": {
            _kind(one.values["exporter"]): partial(_prometheus_reader, one.values["exporter"].values)
            for one in provider["readers"]
            if one and one.name == "pull"
        },
    }


def _prometheus_reader(values: Values) -> Any:  # noqa: ANN401 - one of the SDK's readers
    from fnmatch import fnmatchcase  # noqa: PLC0415 - as below

    from millrace.sdk.metrics.prometheus.reader import PrometheusMetricReader, shared_directory  # noqa: PLC0415 - as above

    chosen = values["resource_constant_labels"]
    included, excluded = chosen["included"], chosen["excluded"] or ()

    def is_label(key: str) -> bool:
        wanted = included is None or any(fnmatchcase(key, pattern) for pattern in included)
        return wanted and not any(fnmatchcase(key, pattern) for pattern in excluded)

    return PrometheusMetricReader(
        disable_target_info=not values["target_info_enabled/development"],
        scope_info_enabled=values["scope_info_enabled"],
        resource_attribute_filter=is_label if values.written("resource_constant_labels") else None,
        host=values["host"],
        port=values["port"],
        directory=shared_directory(),
    )


def _preferences(provider: Values) -> list[dict[str, Any]]:
    """Return the temporality and the aggregation that each exporter of the engine prefers."""
    exporters = [one.values["exporter"] for one in provider["readers"] if one and one.name == "periodic"]
    return [_preferred(exporter.values) for exporter in exporters if exporter.name != "console"]


def _preferred(values: Values) -> dict[str, Any]:
    from millrace.sdk import metrics  # noqa: PLC0415 - as above
    from millrace.sdk.metrics.export import AggregationTemporality  # noqa: PLC0415 - as above
    from millrace.sdk.metrics.view import (  # noqa: PLC0415 - as above
        ExplicitBucketHistogramAggregation,
        ExponentialBucketHistogramAggregation,
    )

    kinds = (metrics.Counter, metrics.Histogram, metrics.ObservableCounter, metrics.UpDownCounter,
             metrics.ObservableUpDownCounter, metrics.ObservableGauge)  # fmt: skip
    delta = {"cumulative": 0, "low_memory": 2, "delta": 3}[values["temporality_preference"]]
    temporality = {
        kind: AggregationTemporality.DELTA if kind in kinds[:delta] else AggregationTemporality.CUMULATIVE
        for kind in kinds
    }
    explicit = values["default_histogram_aggregation"] == "explicit_bucket_histogram"
    aggregation = ExplicitBucketHistogramAggregation() if explicit else ExponentialBucketHistogramAggregation()
    return {"preferred_temporality": temporality, "preferred_aggregation": {metrics.Histogram: aggregation}}


def _view(values: Values) -> Any:  # noqa: ANN401 - one of the SDK's views
    from millrace.sdk import metrics  # noqa: PLC0415 - only where metrics are recorded
    from millrace.sdk.metrics.view import View  # noqa: PLC0415 - as above

    selector, stream = values["selector"], values["stream"]
    kind = selector["instrument_type"]
    named = "_Gauge" if kind == "gauge" else "".join(part.capitalize() for part in (kind or "").split("_"))
    included = stream["attribute_keys"]["included"]
    return View(
        instrument_type=getattr(metrics, named) if kind else None,
        instrument_name=selector["instrument_name"],
        meter_name=selector["meter_name"],
        meter_version=selector["meter_version"],
        meter_schema_url=selector["meter_schema_url"],
        instrument_unit=selector["unit"],
        name=stream["name"],
        description=stream["description"],
        attribute_keys=None if included is None else set(included),
        aggregation=_aggregation(stream["aggregation"]),
    )


def _aggregation(chosen: Chosen | None) -> Any:  # noqa: ANN401 - one of the SDK's aggregations
    from millrace.sdk.metrics import view  # noqa: PLC0415 - only where metrics are recorded

    if chosen is None:
        return None
    values = chosen.values
    match chosen.name:
        case "explicit_bucket_histogram":
            return view.ExplicitBucketHistogramAggregation(values["boundaries"], values["record_min_max"])
        case "base2_exponential_bucket_histogram":
            return view.ExponentialBucketHistogramAggregation(values["max_size"], values["max_scale"])
    plain = {
        "default": view.DefaultAggregation,
        "drop": view.DropAggregation,
        "last_value": view.LastValueAggregation,
        "sum": view.SumAggregation,
    }
    return plain[chosen.name]()
