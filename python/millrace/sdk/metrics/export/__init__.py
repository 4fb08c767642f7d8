"""Readers, exporters and collected data, under the names of `opentelemetry.sdk.metrics.export`."""

from millrace.sdk.metrics._aggregation import AggregationTemporality
from millrace.sdk.metrics._exporter import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from millrace.sdk.metrics._points import (
    Buckets,
    DataPointT,
    DataT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from millrace.sdk.metrics._reader import EngineMetricReader, InMemoryMetricReader, MetricReader

__all__ = [
    "AggregationTemporality",
    "Buckets",
    "ConsoleMetricExporter",
    "DataPointT",
    "DataT",
    "EngineMetricReader",
    "ExponentialHistogram",
    "ExponentialHistogramDataPoint",
    "Gauge",
    "Histogram",
    "HistogramDataPoint",
    "InMemoryMetricReader",
    "Metric",
    "MetricExportResult",
    "MetricExporter",
    "MetricReader",
    "MetricsData",
    "NumberDataPoint",
    "PeriodicExportingMetricReader",
    "ResourceMetrics",
    "ScopeMetrics",
    "Sum",
]
