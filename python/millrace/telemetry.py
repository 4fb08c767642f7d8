"""`millrace.configure`: the OpenTelemetry SDK of this process, from arguments and environment, in one call."""

import logging
from collections.abc import Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from millrace.sdk import environment, process
from millrace.sdk.assembly import NOTHING, Plan, assemble, install_providers
from millrace.sdk.environment_variables import (
    MILLRACE_EXIT_TIMEOUT,
    MILLRACE_HANDLE_SIGTERM,
    OTEL_CONFIG_FILE,
    OTEL_PROPAGATORS,
    OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED,
    OTEL_SDK_DISABLED,
)
from millrace.sdk.otlp_exporter import COMPRESSIONS, PROTOCOLS, Destination
from millrace.sdk.resources import SERVICE_NAME, Resource
from millrace.sdk.settings import SIGNALS, settings_from_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from millrace.sdk.resources import AnyResource, Attributes

__all__ = ["Telemetry", "configure", "logger_provider", "meter_provider", "tracer_provider"]

_log = logging.getLogger("millrace")

EXIT_TIMEOUT_S = 1.5
"""How long the end of the process waits for delivery: less than two seconds, which people begin to notice."""
FLUSH_TIMEOUT_S = 30.0
"""The default of an explicit flush or shutdown, as in the specification."""
_TIMEOUT_S_MAX = 1e6
_ITEMS = {"traces": "spans", "metrics": "data points", "logs": "log records"}


class Arguments:
    """What `configure` was called with."""

    service_name: str | None = None
    endpoint: str | None = None
    protocol: str | None = None
    headers: Mapping[str, str] | None = None
    compression: str | None = None
    timeout_s: float | None = None
    resource: "AnyResource | Attributes | None" = None
    sampler: Any = None
    traces: bool = True
    metrics: bool = True
    logs: bool = True
    logging_handler: bool | None = None
    exit_timeout_s: float | None = None
    handle_sigterm: bool | None = None
    strict: bool = False

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - the attributes of the class
        vars(self).update((name, value) for name, value in given.items() if value is not getattr(Arguments, name))

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Arguments) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # what is given may have none


class Telemetry:
    """The SDK of this process: its three providers, and what becomes of their telemetry.

    As a context manager it shuts down at the end of the block.
    """

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.assembly = NOTHING
        self.propagators: list[str] | None = None
        """Those that a file declares; else the environment says."""
        self._exit_timeout_s = _exit_timeout_s(arguments)
        self._is_shut_down = False

    @property
    def tracer_provider(self) -> "TracerProvider | None":
        """The provider of traces, or `None` where they are switched off."""
        return self.assembly.tracer_provider

    @property
    def meter_provider(self) -> "MeterProvider | None":
        """The provider of metrics, or `None` where they are switched off."""
        return self.assembly.meter_provider

    @property
    def logger_provider(self) -> "LoggerProvider | None":
        """The provider of logs, or `None` where they are switched off."""
        return self.assembly.logger_provider

    def force_flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Deliver everything recorded until now.

        Args:
            timeout_s: When to give up, over all signals together.

        Returns:
            Whether everything was delivered in time.
        """
        until = monotonic() + timeout_s
        # First the providers: what processors written in Python hold back is then on its way, too.
        flushed = [provider.force_flush(_milliseconds_until(until)) for provider in self.assembly.providers]
        engine = self.assembly.engine
        delivered = engine is None or engine.force_flush(max(0.0, until - monotonic()))
        return delivered and all(flushed)

    def shutdown(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Deliver everything recorded until now, and record no more. A second call does nothing.

        Args:
            timeout_s: When to give up; what is not delivered by then is counted as dropped.

        Returns:
            Whether everything was delivered in time.
        """
        if self._is_shut_down:
            return True
        self._is_shut_down = True
        # The engine first: it collects metrics once more, which a provider that is shut down has no longer.
        engine = self.assembly.engine
        delivered = engine is None or engine.shutdown(max(0.0, timeout_s))
        for provider in self.assembly.providers:
            provider.shutdown()
        return delivered

    def stats(self) -> dict[str, Any]:
        """Return what became of the items of each signal that the engine exports.

        Returns:
            By signal: `recorded`, `exported`, `dropped` (by reason) and `queued`, in items; where a signal has several
            exporters, an item counts once for each.
        """
        import json  # noqa: PLC0415 - 2 ms for those who ask

        engine = self.assembly.engine
        stats: dict[str, Any] = {} if engine is None else json.loads(engine.stats())
        return stats

    def flush_before_end(self) -> None:
        """Deliver what is held, within the deadline for the end of the process."""
        self._quietly(self.force_flush)

    def shutdown_at_exit(self) -> None:
        """Shut down within the deadline for the end of the process."""
        self._quietly(self.shutdown)

    def _quietly(self, deliver: "Callable[[float], bool]") -> None:
        try:
            if not deliver(self._exit_timeout_s) and (undelivered := self._undelivered()):
                _log.warning(
                    "The process ends and leaves telemetry undelivered: %s (its end waits %g s for delivery: "
                    "exit_timeout_s or %s)",
                    undelivered,
                    self._exit_timeout_s,
                    MILLRACE_EXIT_TIMEOUT,
                )
        except Exception:  # noqa: BLE001 - a process that ends must end
            _log.exception("The process ends without delivering its telemetry")

    def _undelivered(self) -> str:
        """Return how many items of which signals have not arrived, or nothing."""
        return ", ".join(
            f"{books['recorded'] - books['exported']} of {books['recorded']} {_ITEMS[signal]}"
            for signal, books in self.stats().items()
            if books["recorded"] > books["exported"]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.shutdown()


def configure(  # noqa: PLR0913 - each of them is worth a line of a user's code
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    compression: str | None = None,
    timeout_s: float | None = None,
    resource: "AnyResource | Attributes | None" = None,
    sampler: Any = None,  # noqa: ANN401 - ours or upstream's, anything with `should_sample`
    traces: bool = True,
    metrics: bool = True,
    logs: bool = True,
    logging_handler: bool | None = None,
    exit_timeout_s: float | None = None,
    handle_sigterm: bool | None = None,
    strict: bool = False,
) -> Telemetry:
    """Record this process's telemetry through the OpenTelemetry API and export it over OTLP.

    What is not given here comes from the `OTEL_*` variables, and else has the specification's default. The second call
    in a process returns what the first has made.

    Args:
        service_name: `service.name` of the resource.
        endpoint: Base URL, such as `http://localhost:4318`, or the target of gRPC, such as `localhost:4317`.
        protocol: `http/protobuf` (the default), `http/json` or `grpc`.
        headers: Added to each request.
        compression: `none` (the default), `gzip` or `zstd`.
        timeout_s: Longest time for one attempt to send.
        resource: Attributes on top of what is detected, or a whole resource, of this SDK or of upstream's.
        sampler: Decides which spans are recorded.
        traces: Whether spans are recorded.
        metrics: Whether metrics are recorded.
        logs: Whether log records are recorded.
        logging_handler: Whether records of the `logging` module become log records.
        exit_timeout_s: How long the end of the process waits for delivery.
        handle_sigterm: Whether SIGTERM, where the program has no handler for it, ends the process after delivery.
        strict: Raise what is wrong with the settings instead of logging it.

    Raises:
        millrace.errors.SettingsError: The settings do not allow to export, and `strict` is set.
    """
    arguments = Arguments(
        service_name=service_name, endpoint=endpoint, protocol=protocol, headers=headers, compression=compression,
        timeout_s=timeout_s, resource=resource, sampler=sampler, traces=traces, metrics=metrics, logs=logs,
        logging_handler=logging_handler, exit_timeout_s=exit_timeout_s, handle_sigterm=handle_sigterm, strict=strict,
    )  # fmt: skip
    telemetry = _telemetry_of_process(arguments)
    try:
        _install(telemetry)
    except Exception:
        if strict:
            raise
        _log.exception("OpenTelemetry could not be set up completely")
    return telemetry


def tracer_provider() -> "TracerProvider":
    """Return the provider of this process, from the environment: for `OTEL_PYTHON_TRACER_PROVIDER=millrace`."""
    from opentelemetry.trace import NoOpTracerProvider  # noqa: PLC0415 - the API alone, for whom it imports this

    return _telemetry_of_process(Arguments()).tracer_provider or NoOpTracerProvider()


def meter_provider() -> "MeterProvider":
    """Return the provider of this process, from the environment: for `OTEL_PYTHON_METER_PROVIDER=millrace`."""
    from opentelemetry.metrics import NoOpMeterProvider  # noqa: PLC0415 - as above

    return _telemetry_of_process(Arguments()).meter_provider or NoOpMeterProvider()


def logger_provider() -> "LoggerProvider":
    """Return the provider of this process, from the environment: for `OTEL_PYTHON_LOGGER_PROVIDER=millrace`."""
    from opentelemetry._logs import NoOpLoggerProvider  # noqa: PLC0415 - as above

    return _telemetry_of_process(Arguments()).logger_provider or NoOpLoggerProvider()


class _Process:
    """The one SDK of this process."""

    lock = Lock()
    telemetry: Telemetry | None = None
    is_installed = False
    has_complained = False

    @classmethod
    def forget_lock(cls) -> None:
        """Replace the lock in a forked child: a thread that the child does not have may hold it."""
        cls.lock = Lock()


def _telemetry_of_process(arguments: Arguments) -> Telemetry:
    with _Process.lock:
        telemetry = _Process.telemetry
        if telemetry is None:
            telemetry = _Process.telemetry = _build(arguments)
            process.after_fork(_Process.forget_lock)
            if telemetry.assembly is not NOTHING:
                _see_to_the_end(telemetry)
            return telemetry
    ignored = _ignored(arguments, telemetry.arguments)
    if ignored and not _Process.has_complained:
        _Process.has_complained = True
        _log.warning(
            "configure was called before in this process; the first call counts, so these arguments of another one do "
            "nothing: %s",
            ", ".join(ignored),
        )
    return telemetry


def _ignored(arguments: Arguments, first: Arguments) -> list[str]:
    """Return the names of what was given, and is other than in the first call."""
    return [name for name, given in vars(arguments).items() if given != getattr(first, name)]


def _build(arguments: Arguments) -> Telemetry:
    """Make engine and providers; what fails is logged, and left out."""
    telemetry = Telemetry(arguments)
    try:
        with environment.read_together(strict=arguments.strict):
            if not environment.text(OTEL_CONFIG_FILE) and environment.boolean(OTEL_SDK_DISABLED):
                _log.info("OTEL_SDK_DISABLED is true: nothing is recorded")
                return telemetry
            plan = _declared_plan(telemetry) if environment.text(OTEL_CONFIG_FILE) else _plan(_usable(arguments))
            if plan is None:
                return telemetry
            for fault in plan.settings.faults:
                _refuse(fault, "what would go there is not exported", arguments)
            telemetry.assembly = assemble(plan, strict=arguments.strict)
    except Exception as error:
        if arguments.strict:
            raise
        from millrace.errors import MillraceError  # noqa: PLC0415 - seven classes that a good start does without

        _log.log(logging.ERROR, "Nothing is recorded: %s", error, exc_info=not isinstance(error, MillraceError))
    return telemetry


def _declared_plan(telemetry: Telemetry) -> Plan | None:
    """Return what the file of `OTEL_CONFIG_FILE` declares: no other variable counts, and no argument of `configure`."""
    from millrace.declarative import load  # noqa: PLC0415 - reads YAML, which most processes do not need

    declared, warnings = load(environment.text(OTEL_CONFIG_FILE) or "")
    for warning in warnings:
        _log.warning("%s", warning)
    telemetry.propagators = declared.propagators
    if telemetry.arguments not in (Arguments(), Arguments(strict=True)):
        _log.warning("%s is set: the other arguments of configure do not count", OTEL_CONFIG_FILE)
    return declared.plan


def _plan(arguments: Arguments) -> Plan:
    wanted = {"traces": arguments.traces, "metrics": arguments.metrics, "logs": arguments.logs}
    signals = tuple(signal for signal in SIGNALS if wanted[signal])
    destination = Destination(
        arguments.endpoint,
        _word("protocol", arguments.protocol, PROTOCOLS, arguments),
        arguments.headers,
        _word("compression", arguments.compression, COMPRESSIONS, arguments),
        _timeout_ms(arguments),
    )
    settings = settings_from_environment(destination, signals)
    return Plan(settings, signals, _resource(arguments), arguments.sampler)


def _usable(arguments: Arguments) -> Arguments:
    """Return the arguments without those that are not of their kind, which is said without repeating what they hold."""
    kinds: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "service_name": ("a name", lambda given: isinstance(given, str) and bool(given.strip())),
        "endpoint": ("a URL as text", lambda given: isinstance(given, str)),
        "headers": ("a mapping of names to texts", _are_headers),
        "resource": (
            "a Resource or a mapping of attributes",
            lambda given: hasattr(given, "attributes") or _is_map(given),
        ),
        "sampler": ("an object with should_sample (a name goes into OTEL_TRACES_SAMPLER)", _is_sampler),
    }
    usable = dict(vars(arguments))
    for name, (kind, is_usable) in kinds.items():
        given = getattr(arguments, name)
        if given is not None and not is_usable(given):
            got = (
                "an empty text"
                if isinstance(given, str) and not given.strip()
                else f"a value of type {type(given).__name__}"
            )
            _refuse(f"{name}: expected {kind}, got {got}", "it is left out", arguments)
            del usable[name]
    return Arguments(**usable)


def _are_headers(given: object) -> bool:
    return isinstance(given, Mapping) and all(isinstance(part, str) for pair in given.items() for part in pair)


def _is_map(given: object) -> bool:
    return isinstance(given, Mapping)


def _is_sampler(given: object) -> bool:
    return callable(getattr(given, "should_sample", None))


def _resource(arguments: Arguments) -> "AnyResource":
    given = arguments.resource
    resource = Resource.create(given) if given is None or isinstance(given, Mapping) else given
    if arguments.service_name is None:
        return resource
    return Resource(resource.attributes, resource.schema_url).merge(Resource({SERVICE_NAME: arguments.service_name}))


def _word(name: str, value: str | None, words: tuple[str, ...], arguments: Arguments) -> str | None:
    if value is None or value in words:
        return value
    _refuse(f"{name}: expected one of {', '.join(words)}, got {value!r}", "the default is used", arguments)
    return None


def _timeout_ms(arguments: Arguments) -> int | None:
    seconds = arguments.timeout_s
    if seconds is None or (_is_number(seconds) and 0 < seconds < _TIMEOUT_S_MAX):
        return None if seconds is None else max(1, round(seconds * 1_000))
    _refuse(f"timeout_s: expected a number of seconds above 0, got {seconds!r}", "the default is used", arguments)
    return None


def _refuse(message: str, otherwise: str, arguments: Arguments) -> None:
    """Raise what is wrong with a setting, or say it and what happens `otherwise`."""
    if arguments.strict:
        from millrace.errors import SettingsError  # noqa: PLC0415 - as above

        raise SettingsError(message)
    _log.warning("%s; %s", message, otherwise)


def _install(telemetry: Telemetry) -> None:
    """Make the providers the global ones of the API, and see to forks, exit and SIGTERM; once."""
    with _Process.lock:
        if _Process.is_installed:
            return
        _Process.is_installed = True
    if telemetry.propagators is not None or environment.text(OTEL_PROPAGATORS):
        from millrace.sdk.propagation import install_propagators  # noqa: PLC0415 - the API has the default ones

        with environment.read_together(strict=telemetry.arguments.strict):
            install_propagators(telemetry.propagators)
    install_providers(telemetry.assembly)
    if telemetry.assembly is not NOTHING:
        _install_logging_handler(telemetry)
        _log.info("%s", telemetry.assembly.summary)


def _install_logging_handler(telemetry: Telemetry) -> None:
    """Make log records of what `logging` gets, where that is asked for: an instrumentation of it may do so already."""
    wanted = telemetry.arguments.logging_handler
    if wanted is None:
        wanted = environment.boolean(OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED)
    if wanted and telemetry.logger_provider is not None:
        from millrace.sdk.logs import install  # noqa: PLC0415 - only for those who ask for it

        install(logger_provider=telemetry.logger_provider)


def _see_to_the_end(telemetry: Telemetry) -> None:
    """Deliver at the end of the process, also where the providers were never made the global ones."""
    process.at_exit(telemetry)
    wanted = telemetry.arguments.handle_sigterm
    if environment.boolean(MILLRACE_HANDLE_SIGTERM, default=True) if wanted is None else wanted:
        process.at_sigterm(telemetry)


def _exit_timeout_s(arguments: Arguments) -> float:
    seconds = arguments.exit_timeout_s
    if seconds is not None:
        if _is_number(seconds) and 0 <= seconds < _TIMEOUT_S_MAX:
            return float(seconds)
        _refuse(f"exit_timeout_s: expected a number of seconds, got {seconds!r}", "the default is used", arguments)
    milliseconds = environment.number(MILLRACE_EXIT_TIMEOUT)
    return EXIT_TIMEOUT_S if milliseconds is None else milliseconds / 1_000


def _milliseconds_until(until: float) -> int:
    return max(0, round((until - monotonic()) * 1_000))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
