"""Exemplar filters and reservoirs in Python, for those who bring or extend one: the default ones are native."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import randrange
from threading import Lock
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_SPAN, get_current_span

from millrace.sdk.metrics._exemplar import Exemplar

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes

ExemplarReservoirBuilder = Callable[..., "ExemplarReservoir"]


class ExemplarFilter(ABC):
    """Says which measurements may become exemplars."""

    @abstractmethod
    def should_sample(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> bool:
        """Tell whether a measurement may become an exemplar."""
        raise NotImplementedError


class AlwaysOnExemplarFilter(ExemplarFilter):
    """Any measurement may become an exemplar."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> bool:  # noqa: ARG002
        """Return True."""
        return True


class AlwaysOffExemplarFilter(ExemplarFilter):
    """No measurement becomes an exemplar."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> bool:  # noqa: ARG002
        """Return False."""
        return False


class TraceBasedExemplarFilter(ExemplarFilter):
    """Measurements made while a sampled span is current may become exemplars."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> bool:  # noqa: ARG002
        """Tell whether the span in `context` is sampled."""
        span = get_current_span(context)
        return span is not INVALID_SPAN and span.get_span_context().trace_flags.sampled


class ExemplarReservoir(ABC):
    """Chooses exemplars among the measurements of one series. Its methods may be called at the same time."""

    @abstractmethod
    def offer(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> None:
        """Take a measurement, or not."""
        raise NotImplementedError

    @abstractmethod
    def collect(self, point_attributes: "Attributes") -> list[Exemplar]:
        """Return the exemplars, without the attributes that the point has, and begin anew."""
        raise NotImplementedError


class _FixedSizeReservoir(ExemplarReservoir):
    def __init__(self, size: int, **_kwargs: Any) -> None:  # noqa: ANN401 - parameters of an aggregation
        self._size = size
        self._places: dict[int, tuple[float, int, dict[str, Any], int | None, int | None]] = {}
        self._lock = Lock()

    def offer(self, value: float, time_unix_nano: int, attributes: "Attributes", context: "Context") -> None:
        """Take a measurement to its place, if it has one."""
        span = get_current_span(context)
        ids: tuple[int | None, int | None] = (None, None)
        if span is not INVALID_SPAN:
            span_context = span.get_span_context()
            ids = (span_context.span_id, span_context.trace_id)
        with self._lock:
            place = self._place(value)
            if place is not None:
                self._places[place] = (value, time_unix_nano, dict(attributes or {}), *ids)

    def collect(self, point_attributes: "Attributes") -> list[Exemplar]:
        """Return the exemplars in the order of their places, and begin anew."""
        with self._lock:
            places, self._places = sorted(self._places.items()), {}
            self._reset()
        known = point_attributes or {}
        return [
            Exemplar(
                {key: item for key, item in attributes.items() if key not in known}, value, time, span_id, trace_id
            )
            for _, (value, time, attributes, span_id, trace_id) in places
        ]

    @abstractmethod
    def _place(self, value: float) -> int | None:
        raise NotImplementedError

    def _reset(self) -> None:
        """Begin a new interval."""


class SimpleFixedSizeExemplarReservoir(_FixedSizeReservoir):
    """Keeps so many measurements, each of them with the same chance."""

    def __init__(self, size: int = 1, **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(size, **kwargs)
        self._seen = 0

    def _reset(self) -> None:
        self._seen = 0

    def _place(self, value: float) -> int | None:  # noqa: ARG002
        self._seen += 1
        if self._seen <= self._size:
            return self._seen - 1
        place = randrange(self._seen)  # noqa: S311 - a sample, not a secret
        return place if place < self._size else None


class AlignedHistogramBucketExemplarReservoir(_FixedSizeReservoir):
    """Keeps the last measurement of each bucket of a histogram."""

    def __init__(self, boundaries: Sequence[float], **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(len(boundaries) + 1, **kwargs)
        self._boundaries = boundaries

    def _place(self, value: float) -> int | None:
        for place, boundary in enumerate(self._boundaries):
            if value <= boundary:
                return place
        return len(self._boundaries)
