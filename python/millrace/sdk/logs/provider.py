"""The logger provider: whose log records they are, and where they go."""

import atexit
import logging
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from opentelemetry import _logs

from millrace import _native
from millrace.sdk import environment, process, resources
from millrace.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, OTEL_SDK_DISABLED
from millrace.sdk.instrumentation import InstrumentationScope
from millrace.sdk.logs.limits import LogRecordLimits
from millrace.sdk.runtime_context import install_runtime_context
from millrace.sdk.upstream import stand_in

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.util.types import Attributes

    from millrace.sdk.logs.processor import LogRecordProcessor, SynchronousMultiLogRecordProcessor
    from millrace.sdk.resources import AnyResource

__all__ = ["Logger", "LoggerConfig", "LoggerProvider"]

_log = logging.getLogger(__name__)


class LoggerConfig:
    """What a logger configurator decides about a scope (specification: LoggerConfig, in development)."""

    def __init__(self, is_enabled: bool = True) -> None:  # noqa: FBT001, FBT002 - upstream's own
        self.is_enabled = is_enabled

    @classmethod
    def default(cls) -> Self:
        """Return what holds for a scope that nobody decided about."""
        return cls()


class Logger(_native.Logger):
    """Emits log records. `LoggerProvider.get_logger` makes one.

    Args:
        resource: Whose records they are.
        multi_log_record_processor: Called for each record.
        instrumentation_scope: Who emits them.
        logger_metrics: Not used; upstream has it.
        log_record_limits: By default what the environment says.
    """

    def __new__(
        cls,
        resource: "AnyResource",
        multi_log_record_processor: "LogRecordProcessor",
        instrumentation_scope: InstrumentationScope,
        *,
        logger_metrics: object = None,  # noqa: ARG004 - upstream's own
        log_record_limits: LogRecordLimits | None = None,
        _logger_config: LoggerConfig | None = None,
        _recorder: "_native.LogRecorder | None" = None,
    ) -> Self:
        """Make a logger with a recorder of its own, unless it shares its provider's."""
        if _recorder is None:
            _recorder = _native.LogRecorder(log_record_limits or LogRecordLimits(), None, resource)
            _recorder.set_processor(multi_log_record_processor)
        logger = super().__new__(cls, _recorder, instrumentation_scope)
        if _logger_config is not None:
            logger._set_logger_config(_logger_config)
        return logger

    @property
    def _instrumentation_scope(self) -> InstrumentationScope:
        scope: InstrumentationScope = self.instrumentation_scope
        return scope

    def _is_enabled(self) -> bool:
        return self.is_enabled

    def _set_logger_config(self, logger_config: LoggerConfig) -> None:
        self.set_enabled(logger_config.is_enabled)


_logs.Logger.register(_native.Logger)

_Configurator = Callable[[InstrumentationScope], LoggerConfig]


class LoggerProvider(_logs.LoggerProvider):
    """Makes loggers whose records are written natively.

    Args:
        resource: Whose records they are; by default what the environment says.
        shutdown_on_exit: Deliver what is held when the interpreter exits.
        multi_log_record_processor: What calls the processors.
        meter_provider: Counts what the SDK itself does, where a variable asks for that; by default the API's.
        log_record_limits: The limits of records; by default what the environment says.
    """

    def __init__(
        self,
        resource: "AnyResource | None" = None,
        shutdown_on_exit: bool = True,  # noqa: FBT001, FBT002 - upstream's own
        multi_log_record_processor: "SynchronousMultiLogRecordProcessor | None" = None,
        *,
        meter_provider: "MeterProvider | None" = None,
        log_record_limits: LogRecordLimits | None = None,
        _logger_configurator: _Configurator | None = None,
        _buffer: "_native.Buffer | None" = None,
    ) -> None:
        install_runtime_context()
        stand_in("opentelemetry.sdk._logs", type(self), "LoggerProvider")
        self._resource: AnyResource = resources.Resource.create({}) if resource is None else resource
        if multi_log_record_processor is not None:
            self._multi_log_record_processor = multi_log_record_processor
        self._disabled = environment.boolean(OTEL_SDK_DISABLED)
        self._logger_configurator = _logger_configurator
        self._log_record_limits = log_record_limits or LogRecordLimits()
        self._buffer = _buffer
        self._recorder = _native.LogRecorder(self._log_record_limits, _buffer, self._resource)
        self._set_buffer_resource()
        self._counted: Any = None
        is_counted = environment.boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED)
        if is_counted:
            from millrace.sdk.self_metrics import CountedRecords  # noqa: PLC0415 - for those who ask

            self._counted = CountedRecords(self._multi_log_record_processor, meter_provider)
        if multi_log_record_processor is not None or is_counted:
            self._recorder.set_processor(self._counted or self._multi_log_record_processor)
        self._logger_cache: dict[Any, Logger] = {}
        self._active_loggers: WeakSet[Logger] = WeakSet()
        self._lock = threading.Lock()
        self._at_exit_handler = atexit.register(self.shutdown) if shutdown_on_exit else None
        process.after_fork_while_alive(self._in_child)

    @cached_property
    def _multi_log_record_processor(self) -> "SynchronousMultiLogRecordProcessor":
        """What calls the processors; imported with the first logger or processor."""
        from millrace.sdk.logs.processor import SynchronousMultiLogRecordProcessor  # noqa: PLC0415 - see above

        return SynchronousMultiLogRecordProcessor()

    @property
    def resource(self) -> "AnyResource":
        """Whose records they are."""
        return self._resource

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: "Attributes" = None,
    ) -> _logs.Logger:
        """Return the logger of an instrumentation scope; without attributes, the same one for the same scope."""
        if self._disabled:
            return _logs.NoOpLogger(name, version=version, schema_url=schema_url, attributes=attributes)
        key = (name, version, schema_url)
        with self._lock:
            logger = self._logger_cache.get(key) if attributes is None else None
            if logger is None:
                logger = self._make_logger(InstrumentationScope(name, version, schema_url, attributes))
                if attributes is None:
                    self._logger_cache[key] = logger
        return logger  # type: ignore[return-value] # a virtual subclass

    def _make_logger(self, scope: InstrumentationScope) -> Logger:
        logger = Logger(
            self._resource,
            self._multi_log_record_processor,
            scope,
            _logger_config=self._config_of(scope),
            _recorder=self._recorder,
        )
        self._active_loggers.add(logger)
        return logger

    def add_log_record_processor(self, log_record_processor: "LogRecordProcessor") -> None:
        """Have `log_record_processor` called for each record, in the order in which they were added."""
        self._multi_log_record_processor.add_log_record_processor(log_record_processor)
        self._recorder.set_processor(self._counted or self._multi_log_record_processor)

    def shutdown(self) -> None:
        """Shut the processors down; records that are emitted afterwards are not recorded."""
        if "_multi_log_record_processor" in vars(self):
            self._multi_log_record_processor.shutdown()
        self._recorder.close()
        if self._at_exit_handler is not None:
            atexit.unregister(self._at_exit_handler)
            self._at_exit_handler = None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have the processors deliver what they hold; False when that took too long or failed."""
        if "_multi_log_record_processor" not in vars(self):
            return True
        return self._multi_log_record_processor.force_flush(timeout_millis)

    def set_resource(self, resource: "AnyResource") -> None:
        """Say whose records they are from now on, as in a forked child."""
        self._resource = resource
        self._recorder.set_resource(resource)
        self._set_buffer_resource()

    def _update_resource(self, resource: "AnyResource") -> None:
        """Put attributes on top of the resource: upstream's name for what follows a fork."""
        merged = resources.Resource(self._resource.attributes, self._resource.schema_url).merge(resource)
        self.set_resource(merged)

    def _in_child(self) -> None:
        self._lock = threading.Lock()
        self.set_resource(resources.for_this_process(self._resource))

    def _set_buffer_resource(self) -> None:
        if self._buffer is not None:
            attributes: Any = self._resource.attributes
            self._buffer.set_resource(attributes, self._resource.schema_url or "")

    def _set_logger_configurator(self, *, logger_configurator: _Configurator) -> None:
        """Have `logger_configurator` decide about all loggers, those that exist and those that come."""
        self._logger_configurator = logger_configurator
        with self._lock:
            for logger in list(self._active_loggers):
                logger._set_logger_config(self._config_of(logger.instrumentation_scope))  # noqa: SLF001 - ours

    def _config_of(self, scope: InstrumentationScope) -> LoggerConfig:
        if self._logger_configurator is None:
            return LoggerConfig.default()
        try:
            return self._logger_configurator(scope)
        except Exception:  # noqa: BLE001 - whatever a configurator does
            _log.exception("The logger configurator failed for the scope %r: the logger is enabled", scope.name)
            return LoggerConfig.default()
