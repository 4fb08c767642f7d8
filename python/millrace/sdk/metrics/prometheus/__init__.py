"""Metrics for Prometheus to fetch: `PrometheusMetricReader`, which upstream has in `opentelemetry.exporter.prometheus`.

Nothing of `prometheus_client` is needed. A program that has a registry of that package, and wants its OpenTelemetry
metrics in there, uses upstream's reader of the same name with our provider.
"""

from millrace.sdk.metrics.prometheus.reader import PrometheusMetricReader

__all__ = ["PrometheusMetricReader"]
