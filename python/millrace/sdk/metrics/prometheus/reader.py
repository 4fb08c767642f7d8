"""The metric reader that collects when it is scraped."""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from weakref import ref

from millrace.sdk import environment, process
from millrace.sdk.environment_variables import (
    MILLRACE_PROMETHEUS_DIRECTORY,
    OTEL_EXPORTER_PROMETHEUS_HOST,
    OTEL_EXPORTER_PROMETHEUS_PORT,
)
from millrace.sdk.metrics._reader import MetricReader
from millrace.sdk.metrics.prometheus.families import Families, Options
from millrace.sdk.metrics.prometheus.server import MetricsServer
from millrace.sdk.metrics.prometheus.text import content_type, render

if TYPE_CHECKING:
    from millrace.sdk.metrics._points import MetricsData
    from millrace.sdk.metrics.prometheus.processes import ProcessDirectory

__all__ = ["PrometheusMetricReader", "reader_from_environment", "shared_directory"]

_log = logging.getLogger("millrace.sdk.metrics")

_PORT_MAX = 65_535
_PORT_DEFAULT = 9464
_PUBLISH_S = 5.0


class PrometheusMetricReader(MetricReader):
    """Collects for Prometheus, whenever it asks: cumulative, in its own text format or in OpenMetrics.

    Without a port nothing is listened on: `exposition` returns the page for whatever serves it.

    Where several processes serve one port, such as the workers of gunicorn, a directory that they share makes each
    answer for all. One of them listens, and another one takes over when that one ends. Empty the directory before the
    service starts.

    Args:
        disable_target_info: Leave out `target_info`, the attributes of the resource.
        prefix: What each name begins with.
        scope_info_enabled: Label each series with its instrumentation scope.
        resource_attribute_filter: Tells which attributes of the resource are labels of each series.
        host: Where to listen.
        port: The same; 0 is any free one.
        directory: Where the processes of a service keep what they count.
        publish_interval_s: How often this process writes that down there.

    Raises:
        OSError: The directory cannot be used, or, without one, the address cannot be listened on.
    """

    _component_type = "prometheus_http_text_metric_exporter"

    def __init__(
        self,
        disable_target_info: bool = False,  # noqa: FBT001, FBT002 - upstream's signature
        prefix: str = "",
        scope_info_enabled: bool = True,  # noqa: FBT001, FBT002 - as above
        *,
        resource_attribute_filter: Callable[[str], bool] | None = None,
        host: str = "localhost",
        port: int | None = None,
        directory: str | None = None,
        publish_interval_s: float = _PUBLISH_S,
    ) -> None:
        super().__init__()
        self._options = Options(prefix, scope_info_enabled, resource_attribute_filter)
        self._without_target = disable_target_info
        self._address = None if port is None else (host, port)
        self._interval_s = publish_interval_s
        self._directory: ProcessDirectory | None = None
        if directory is not None:
            from millrace.sdk.metrics.prometheus import processes  # noqa: PLC0415 - POSIX only

            self._directory = processes.ProcessDirectory(directory)
        self._server: MetricsServer | None = None
        self._begin()
        if self._directory is None and self._address is not None:
            self._server = self._serve(self._address)
        process.after_fork_while_alive(self._in_child)

    def _begin(self) -> None:
        """Begin with fresh locks and a fresh thread: also in a forked child, which has neither."""
        self._lock = Lock()
        self._families = Families()
        self._stop = Event()
        if self._directory is not None:
            self._take_turns()
            Thread(
                target=_publish, args=(ref(self), self._stop, self._interval_s), name="millrace-publish", daemon=True
            ).start()

    def _in_child(self) -> None:
        if self._stop.is_set():
            return
        server, self._server = self._server, None
        if server is not None:
            server.forget()
        if self._directory is not None:
            self._directory.begin_in_child()
        elif server is not None:
            _log.warning(
                "The metrics of this forked process are not served: its parent has the port. Set %s to serve all.",
                MILLRACE_PROMETHEUS_DIRECTORY,
            )
        self._begin()

    @property
    def server_address(self) -> tuple[str, int] | None:
        """Where this process listens; `None` where it does not, or another process does."""
        return None if self._server is None else self._server.address

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """Collect, and return the content type and the page for what an `Accept` header asks for.

        Raises:
            MetricsTimeoutError: Callbacks took too long.
        """
        own = self._collected()
        families = own if self._directory is None else self._directory.merged(own)
        if self._without_target:
            families.resource = {}
        kind = content_type(accept)
        return kind, render(families, kind).encode("utf-8", "replace")

    def _collected(self) -> Families:
        with self._lock:
            self._families = Families()
            self.collect()
            return self._families

    def _receive_metrics(self, metrics_data: "MetricsData", timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        self._families.add_collected(metrics_data, self._options)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - it takes no time
        """Write down what was counted, for the other processes; without a directory, do nothing."""
        self._publish()
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Stop serving; with a directory, leave there what was counted."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._server is not None:
            self._server.close()
        if self._directory is not None:
            self._publish()
            self._directory.leave()

    def _publish(self) -> None:
        if self._directory is None:
            return
        try:
            self._directory.publish(self._collected())
        except Exception:  # noqa: BLE001 - it is logged with its trace
            _log.exception("What this process has counted could not be written down for the others")

    def _take_turns(self) -> None:
        """Listen, unless another process does."""
        if self._server is None and self._address is not None:
            try:
                self._server = self._serve(self._address)
            except OSError as error:
                _log.debug("Another process serves the metrics: %s", error)

    def _serve(self, address: tuple[str, int]) -> MetricsServer:
        reference = ref(self)

        def exposition(accept: str) -> tuple[str, bytes]:
            reader = reference()
            return ("text/plain", b"") if reader is None else reader.exposition(accept)

        return MetricsServer(*address, exposition)


def _publish(reference: "ref[PrometheusMetricReader]", stop: Event, interval_s: float) -> None:
    """Write down what was counted at the interval; holds no reference between."""
    while not stop.wait(interval_s):
        reader = reference()
        if reader is None:
            return
        reader._take_turns()  # noqa: SLF001 - a part of the reader
        reader._publish()  # noqa: SLF001 - as above
        del reader


def reader_from_environment() -> PrometheusMetricReader:
    """Return the reader of `OTEL_METRICS_EXPORTER=prometheus`.

    Raises:
        OSError: The address cannot be listened on, or the directory not be used.
    """
    port = environment.integer(OTEL_EXPORTER_PROMETHEUS_PORT, maximum=_PORT_MAX)
    return PrometheusMetricReader(
        host=environment.text(OTEL_EXPORTER_PROMETHEUS_HOST) or "localhost",
        port=_PORT_DEFAULT if port is None else port,
        directory=shared_directory(),
    )


def shared_directory() -> str | None:
    """Return the directory that the processes of this service share, if there is one."""
    return environment.text(MILLRACE_PROMETHEUS_DIRECTORY)
