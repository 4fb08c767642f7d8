"""The meter: makes instruments, each once."""

from collections.abc import Sequence
from logging import getLogger
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import metrics as api
from opentelemetry.metrics import Meter as ApiMeter
from opentelemetry.metrics import NoOpMeter

from millrace.sdk.metrics import _instruments as made
from millrace.sdk.metrics._aggregation import increasing

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackT

    from millrace.sdk.instrumentation import InstrumentationScope

_log = getLogger("millrace.sdk.metrics")


class _MeterConfig:
    __slots__ = ("is_enabled",)

    def __init__(self, is_enabled: bool = True) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        self.is_enabled = is_enabled

    @classmethod
    def default(cls) -> "_MeterConfig":
        return cls()


def _default_meter_configurator(_scope: "InstrumentationScope") -> _MeterConfig:
    return _MeterConfig()


def _disable_meter_configurator(_scope: "InstrumentationScope") -> _MeterConfig:
    return _MeterConfig(is_enabled=False)


_T = TypeVar("_T", bound=made._Described)  # noqa: SLF001 - the instruments of this package


# The name in lower case, the class, the unit and the description: what makes an instrument the same.
_Identity = tuple[str, type, str, str]


class Meter(ApiMeter):
    """Makes the instruments of one instrumentation scope. Asked again for the same, it returns the one there is."""

    def __init__(
        self,
        instrumentation_scope: "InstrumentationScope",
        measurement_consumer: Any,  # noqa: ANN401 - what instruments are registered with
        *,
        _meter_config: _MeterConfig | None = None,
    ) -> None:
        scope = instrumentation_scope
        super().__init__(name=scope.name, version=scope.version, schema_url=scope.schema_url)
        self._instrumentation_scope = scope
        self._measurement_consumer = measurement_consumer
        self._meter_config = _meter_config or _MeterConfig()
        self._instruments: dict[_Identity, Any] = {}
        self._lock = RLock()  # a finalizer may make an instrument while one is made

    def _is_enabled(self) -> bool:
        return self._meter_config.is_enabled

    def _set_meter_config(self, meter_config: _MeterConfig) -> None:
        self._meter_config = meter_config
        for instrument in list(self._instruments.values()):
            instrument._enable(meter_config.is_enabled)  # noqa: SLF001 - the instruments of this package

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """Make a counter."""
        return self._create(made._Counter, name, unit, description)  # noqa: SLF001 - as above

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        """Make an up-down counter."""
        return self._create(made._UpDownCounter, name, unit, description)  # noqa: SLF001

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """Make a histogram, with bounds that a view may replace."""
        boundaries = _advice(explicit_bucket_boundaries_advisory)
        return self._create(made._Histogram, name, unit, description, boundaries=boundaries)  # noqa: SLF001

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> api._Gauge:
        """Make a gauge."""
        return self._create(made._Gauge, name, unit, description)  # noqa: SLF001

    def create_observable_counter(
        self, name: str, callbacks: "Sequence[CallbackT] | None" = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        """Make a counter whose callbacks say the sum."""
        return self._create(made._ObservableCounter, name, unit, description, callbacks)  # noqa: SLF001

    def create_observable_up_down_counter(
        self, name: str, callbacks: "Sequence[CallbackT] | None" = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        """Make an up-down counter whose callbacks say the sum."""
        return self._create(made._ObservableUpDownCounter, name, unit, description, callbacks)  # noqa: SLF001

    def create_observable_gauge(
        self, name: str, callbacks: "Sequence[CallbackT] | None" = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        """Make a gauge whose callbacks say the value."""
        return self._create(made._ObservableGauge, name, unit, description, callbacks)  # noqa: SLF001

    def _create(
        self,
        kind: type[_T],
        name: str,
        unit: str,
        description: str,
        callbacks: "Sequence[CallbackT] | None" = None,
        boundaries: tuple[float, ...] | None = None,
    ) -> _T:
        checked = _checked(name, unit, description)
        if checked is None:
            no_op: _T = getattr(NoOpMeter(self._instrumentation_scope.name), f"create_{kind._kind}")(name)  # noqa: SLF001
            return no_op
        unit, description = checked
        identity: _Identity = (name.lower(), kind, unit, description)
        with self._lock:
            instrument: Any = self._instruments.get(identity)
            is_new = instrument is None
            if instrument is None:
                observed = (callbacks,) if issubclass(kind, made._Observable) else ()  # noqa: SLF001
                scope, consumer = self._instrumentation_scope, self._measurement_consumer
                make: Any = kind
                instrument = make(name, scope, consumer, *observed, unit, description)
                instrument._boundaries = boundaries  # noqa: SLF001
                instrument._enable(self._meter_config.is_enabled)  # noqa: SLF001
                other = next((known for known in self._instruments if known[0] == identity[0]), None)
                self._instruments[identity] = instrument
                consumer.register_instrument(instrument)
            else:
                other = None
        if other is not None:
            _warn_of_other(identity, other)
        elif not is_new and instrument._boundaries != boundaries:  # noqa: SLF001
            _log.warning(
                "An instrument with name %s, type %s, unit %s and description %s has been created already with other "
                "advice: its bounds stay %s.",
                name,
                kind.__name__.lstrip("_"),
                unit,
                description,
                instrument._boundaries,  # noqa: SLF001
            )
        result: _T = instrument
        return result


def _checked(name: object, unit: object, description: object) -> tuple[str, str] | None:
    """Return unit and description, or `None` when one cannot be used; that is logged, and nothing is raised."""
    if not isinstance(name, str) or not isinstance(unit, (str, type(None))):
        _log.error("Expected text as name and unit of an instrument, got %r and %r; it records nothing.", name, unit)
        return None
    result = made.Counter._check_name_unit_description(name, unit or "", str(description or ""))  # noqa: SLF001 - the API's rules
    if result["name"] is None:
        _log.error("Expected ASCII string of maximum length 255 characters but got %s; it records nothing.", name)
        return None
    if result["unit"] is None:
        _log.error("Expected ASCII string of maximum length 63 characters but got %s; it records nothing.", unit)
        return None
    return unit or "", str(description or "")


def _advice(boundaries: Any) -> tuple[float, ...] | None:  # noqa: ANN401 - whatever was given
    if boundaries is None:
        return None
    is_usable = isinstance(boundaries, Sequence) and all(isinstance(bound, (int, float)) for bound in boundaries)
    if is_usable and not isinstance(boundaries, str):
        try:
            return increasing(boundaries)
        except ValueError as error:
            _log.warning("explicit_bucket_boundaries_advisory is not used: %s", error)
            return None
    _log.warning("explicit_bucket_boundaries_advisory must be a sequence of numbers")
    return None


def _warn_of_other(identity: _Identity, other: _Identity) -> None:
    """Say that two instruments of one name are not the same: backends cannot tell their metrics apart."""
    shown = [f"type {kind.__name__.lstrip('_')}, unit {unit!r}" for _, kind, unit, _ in (identity, other)]
    _log.warning(
        "An instrument with name %s has been created already as another one (%s, before %s); a view can rename one.",
        identity[0],
        *shown,
    )
