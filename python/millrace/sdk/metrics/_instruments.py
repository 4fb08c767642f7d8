"""The instruments: subclasses of the API's, whose methods are native."""

from collections.abc import Callable, Generator, Iterable, Sequence
from logging import getLogger
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics as api

from millrace import _native
from millrace.sdk.upstream import stand_in

if TYPE_CHECKING:
    from typing import Self

    from opentelemetry.metrics import CallbackOptions, CallbackT, Observation

    from millrace.sdk.instrumentation import InstrumentationScope

_log = getLogger("millrace.sdk.metrics")


class _Described:
    """What views and readers know of an instrument."""

    _kind: str
    name: str
    unit: str
    description: str
    instrumentation_scope: "InstrumentationScope"
    _core: _native.InstrumentCore
    _boundaries: Sequence[float] | None = None
    _is_on = True

    def __init__(
        self,
        name: str,
        instrumentation_scope: "InstrumentationScope",
        measurement_consumer: object,  # noqa: ARG002 - upstream's signature
        unit: str = "",
        description: str = "",
    ) -> None:
        self.name = name.lower()
        self.unit = unit
        self.description = description
        self.instrumentation_scope = instrumentation_scope

    def _enable(self, is_on: bool) -> None:  # noqa: FBT001
        """Switch it on or off."""
        self._is_on = is_on
        self._core.enable(is_on)


class Counter(_Described, _native.Adder, api.Counter):
    """Adds amounts that are not negative. Made by a meter."""

    _kind = "counter"

    def __new__(cls, name: str, *_arguments: Any, **_named: Any) -> "Self":  # noqa: ANN401 - what the meter passes
        _only_by_a_meter(cls, Counter)
        core = _native.InstrumentCore(name.lower())
        instrument = _native.Adder.__new__(cls, core, True)  # noqa: FBT003
        instrument._core = core  # noqa: SLF001
        return instrument


class UpDownCounter(_Described, _native.Adder, api.UpDownCounter):
    """Adds amounts. Made by a meter."""

    _kind = "up_down_counter"

    def __new__(cls, name: str, *_arguments: Any, **_named: Any) -> "Self":  # noqa: ANN401 - what the meter passes
        _only_by_a_meter(cls, UpDownCounter)
        core = _native.InstrumentCore(name.lower())
        instrument = _native.Adder.__new__(cls, core, False)  # noqa: FBT003
        instrument._core = core  # noqa: SLF001
        return instrument


class Histogram(_Described, _native.Recorder, api.Histogram):
    """Records amounts that are not negative. Made by a meter."""

    _kind = "histogram"

    def __new__(cls, name: str, *_arguments: Any, **_named: Any) -> "Self":  # noqa: ANN401 - what the meter passes
        _only_by_a_meter(cls, Histogram)
        core = _native.InstrumentCore(name.lower())
        instrument = _native.Recorder.__new__(cls, core)
        instrument._core = core  # noqa: SLF001
        return instrument


class Gauge(_Described, _native.Setter, api._Gauge):  # noqa: SLF001 - the API's name for it
    """Sets an amount. Made by a meter."""

    _kind = "gauge"

    def __new__(cls, name: str, *_arguments: Any, **_named: Any) -> "Self":  # noqa: ANN401 - what the meter passes
        _only_by_a_meter(cls, Gauge)
        core = _native.InstrumentCore(name.lower())
        instrument = _native.Setter.__new__(cls, core)
        instrument._core = core  # noqa: SLF001
        return instrument


class _Observable(_Described):
    """An instrument whose callbacks say how much it is."""

    def __init__(
        self,
        name: str,
        instrumentation_scope: "InstrumentationScope",
        measurement_consumer: object,
        callbacks: "Sequence[CallbackT] | None" = None,
        unit: str = "",
        description: str = "",
    ) -> None:
        super().__init__(name, instrumentation_scope, measurement_consumer, unit, description)
        self._core = _native.InstrumentCore(self.name)
        self._callbacks = [_as_function(callback) for callback in callbacks or ()]

    def _observe(self, reader: int, options: "CallbackOptions") -> None:
        """Ask every callback, and count what they observe for a reader. One that fails is logged; the others go on."""
        if not self._is_on:
            return
        for callback in self._callbacks:
            try:
                for observation in callback(options) or ():
                    self._core.observe(reader, observation.value, observation.attributes, observation.context)
            except Exception:  # noqa: BLE001 - it is logged with its trace
                _log.exception("Callback failed for instrument %s.", self.name)


class ObservableCounter(_Observable, api.ObservableCounter):
    """Observes a sum that never goes down. Made by a meter."""

    _kind = "observable_counter"

    def __new__(cls, *_arguments: Any, **_named: Any) -> "ObservableCounter":  # noqa: ANN401, PYI034 - as above
        _only_by_a_meter(cls, ObservableCounter)
        return super().__new__(cls)


class ObservableUpDownCounter(_Observable, api.ObservableUpDownCounter):
    """Observes a sum. Made by a meter."""

    _kind = "observable_up_down_counter"

    def __new__(cls, *_arguments: Any, **_named: Any) -> "ObservableUpDownCounter":  # noqa: ANN401, PYI034 - as above
        _only_by_a_meter(cls, ObservableUpDownCounter)
        return super().__new__(cls)


class ObservableGauge(_Observable, api.ObservableGauge):
    """Observes a value. Made by a meter."""

    _kind = "observable_gauge"

    def __new__(cls, *_arguments: Any, **_named: Any) -> "ObservableGauge":  # noqa: ANN401, PYI034 - as above
        _only_by_a_meter(cls, ObservableGauge)
        return super().__new__(cls)


# What meters make. These names are upstream's, and readers know temporality and aggregation by them.


class _Counter(Counter):
    pass


class _UpDownCounter(UpDownCounter):
    pass


class _Histogram(Histogram):
    pass


class _Gauge(Gauge):
    pass


class _ObservableCounter(ObservableCounter):
    pass


class _ObservableUpDownCounter(ObservableUpDownCounter):
    pass


class _ObservableGauge(ObservableGauge):
    pass


MADE = (_Counter, _UpDownCounter, _Histogram, _Gauge, _ObservableCounter, _ObservableUpDownCounter, _ObservableGauge)


for _made in MADE:
    _users = _made.__mro__[1]
    stand_in("opentelemetry.sdk.metrics", _users, "_Gauge" if _users is Gauge else _users.__name__)


def _only_by_a_meter(made: type, abstract: type) -> None:
    if made is abstract:
        raise TypeError(f"{abstract.__name__} must be instantiated via a meter.")


def _as_function(callback: "CallbackT") -> "Callable[[CallbackOptions], Iterable[Observation]]":
    """Return a callback as a function: a generator is told the options, and yields what it observes."""
    if not isinstance(callback, Generator):
        return callback
    generator = callback
    try:
        next(generator)
    except StopIteration:
        return lambda _options: ()

    def advance(options: "CallbackOptions") -> "Iterable[Observation]":
        try:
            return generator.send(options)
        except StopIteration:
            return ()

    return advance
