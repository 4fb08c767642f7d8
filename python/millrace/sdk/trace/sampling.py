"""Samplers: which spans are recorded and exported (specification: trace/sdk, Sampling).

The provider reads these classes, and upstream's of the same names, into native ones; their `should_sample` serves those
who call it themselves. A sampler of any other class is called for each span.
"""

import enum
from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from millrace.sdk import environment
from millrace.sdk.environment_variables import OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState
    from opentelemetry.util.types import AnyValue, Attributes

__all__ = [
    "ALWAYS_OFF",
    "ALWAYS_ON",
    "DEFAULT_OFF",
    "DEFAULT_ON",
    "AlwaysRecordSampler",
    "Decision",
    "ParentBased",
    "ParentBasedTraceIdRatio",
    "Sampler",
    "SamplingResult",
    "StaticSampler",
    "TraceIdRatioBased",
    "sampler_from_environment",
]


class Decision(enum.Enum):
    """What becomes of a span."""

    DROP = 0
    """It is not recorded."""
    RECORD_ONLY = 1
    """It is recorded for processors, and not exported."""
    RECORD_AND_SAMPLE = 2
    """It is recorded and exported."""

    def is_recording(self) -> bool:
        """Return whether the span is recorded."""
        return self is not Decision.DROP

    def is_sampled(self) -> bool:
        """Return whether the span is exported."""
        return self is Decision.RECORD_AND_SAMPLE


class SamplingResult:
    """A decision, the attributes the span begins with, and its trace state."""

    __slots__ = ("attributes", "decision", "trace_state")

    def __init__(
        self, decision: Decision, attributes: "Attributes" = None, trace_state: "TraceState | None" = None
    ) -> None:
        self.decision = decision
        self.attributes: Mapping[str, AnyValue] = MappingProxyType(attributes if attributes is not None else {})
        self.trace_state = trace_state

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.decision}, attributes={self.attributes})"


class Sampler(ABC):
    """Decides about each span before it starts."""

    @abstractmethod
    def should_sample(
        self,
        parent_context: "Context | None",
        trace_id: int,
        name: str,
        kind: "SpanKind | None" = None,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        trace_state: "TraceState | None" = None,
    ) -> SamplingResult:
        """Return the decision about a span."""

    @abstractmethod
    def get_description(self) -> str:
        """Return the name of the sampler with its settings."""


class StaticSampler(Sampler):
    """Decides the same about every span."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def should_sample(  # noqa: D102 - as in the parent
        self,
        parent_context: "Context | None",
        trace_id: int,  # noqa: ARG002 - as in the parent
        name: str,  # noqa: ARG002 - as in the parent
        kind: "SpanKind | None" = None,  # noqa: ARG002 - as in the parent
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,  # noqa: ARG002 - as in the parent
        trace_state: "TraceState | None" = None,  # noqa: ARG002 - as in the parent
    ) -> SamplingResult:
        return _result(self._decision, attributes, parent_context)

    def get_description(self) -> str:  # noqa: D102 - as in the parent
        return "AlwaysOffSampler" if self._decision is Decision.DROP else "AlwaysOnSampler"


ALWAYS_OFF = StaticSampler(Decision.DROP)
"""Records nothing."""

ALWAYS_ON = StaticSampler(Decision.RECORD_AND_SAMPLE)
"""Records and exports every span."""


class TraceIdRatioBased(Sampler):
    """Samples a share of all traces, decided by the trace id: every process decides alike.

    Args:
        rate: The share, from 0 to 1.

    Raises:
        ValueError: The rate is not from 0 to 1.
    """

    TRACE_ID_LIMIT = (1 << 64) - 1
    """The bits of a trace id that decide."""

    def __init__(self, rate: float) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"a sampling rate is a number from 0 to 1, got {rate}")
        self._rate = rate
        self._bound = self.get_bound_for_rate(rate)

    @classmethod
    def get_bound_for_rate(cls, rate: float) -> int:
        """Return the lowest 64-bit number that is not sampled at `rate`."""
        return round(rate * (cls.TRACE_ID_LIMIT + 1))

    @property
    def rate(self) -> float:
        """The share of traces."""
        return self._rate

    @property
    def bound(self) -> int:
        """The lowest 64-bit number that is not sampled."""
        return self._bound

    def should_sample(  # noqa: D102 - as in the parent
        self,
        parent_context: "Context | None",
        trace_id: int,
        name: str,  # noqa: ARG002 - as in the parent
        kind: "SpanKind | None" = None,  # noqa: ARG002 - as in the parent
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,  # noqa: ARG002 - as in the parent
        trace_state: "TraceState | None" = None,  # noqa: ARG002 - as in the parent
    ) -> SamplingResult:
        sampled = trace_id & self.TRACE_ID_LIMIT < self._bound
        return _result(Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP, attributes, parent_context)

    def get_description(self) -> str:  # noqa: D102 - as in the parent
        return f"TraceIdRatioBased{{{self._rate}}}"


class ParentBased(Sampler):
    """Follows the parent's decision, or asks `root` where there is no parent."""

    def __init__(
        self,
        root: Sampler,
        remote_parent_sampled: Sampler = ALWAYS_ON,
        remote_parent_not_sampled: Sampler = ALWAYS_OFF,
        local_parent_sampled: Sampler = ALWAYS_ON,
        local_parent_not_sampled: Sampler = ALWAYS_OFF,
    ) -> None:
        self._root = root
        self._remote_parent_sampled = remote_parent_sampled
        self._remote_parent_not_sampled = remote_parent_not_sampled
        self._local_parent_sampled = local_parent_sampled
        self._local_parent_not_sampled = local_parent_not_sampled

    def should_sample(  # noqa: D102 - as in the parent
        self,
        parent_context: "Context | None",
        trace_id: int,
        name: str,
        kind: "SpanKind | None" = None,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        trace_state: "TraceState | None" = None,
    ) -> SamplingResult:
        sampler = self._delegate(get_current_span(parent_context).get_span_context())
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def _delegate(self, parent: "SpanContext | None") -> Sampler:
        if parent is None or not parent.is_valid:
            return self._root
        if parent.is_remote:
            return self._remote_parent_sampled if parent.trace_flags.sampled else self._remote_parent_not_sampled
        return self._local_parent_sampled if parent.trace_flags.sampled else self._local_parent_not_sampled

    def get_description(self) -> str:  # noqa: D102 - as in the parent
        parts = {
            "root": self._root,
            "remoteParentSampled": self._remote_parent_sampled,
            "remoteParentNotSampled": self._remote_parent_not_sampled,
            "localParentSampled": self._local_parent_sampled,
            "localParentNotSampled": self._local_parent_not_sampled,
        }
        return f"ParentBased{{{','.join(f'{name}:{part.get_description()}' for name, part in parts.items())}}}"


class AlwaysRecordSampler(Sampler):
    """Records what `root` drops, for processors that count every span; exports what `root` exports."""

    def __init__(self, root: Sampler) -> None:
        if root is None:
            raise ValueError("root is a sampler, got None")
        self._root = root

    def should_sample(  # noqa: D102 - as in the parent
        self,
        parent_context: "Context | None",
        trace_id: int,
        name: str,
        kind: "SpanKind | None" = None,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        trace_state: "TraceState | None" = None,
    ) -> SamplingResult:
        result = self._root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, result.attributes, result.trace_state)
        return result

    def get_description(self) -> str:  # noqa: D102 - as in the parent
        return f"AlwaysRecordSampler{{{self._root.get_description()}}}"


DEFAULT_OFF = ParentBased(ALWAYS_OFF)
"""Follows the parent; without one, records nothing."""

DEFAULT_ON = ParentBased(ALWAYS_ON)
"""Follows the parent; without one, records everything. The default."""


class ParentBasedTraceIdRatio(ParentBased):
    """Follows the parent; without one, samples a share of all traces."""

    def __init__(self, rate: float) -> None:
        super().__init__(root=TraceIdRatioBased(rate))


def _result(decision: Decision, attributes: "Attributes", parent_context: "Context | None") -> SamplingResult:
    parent = get_current_span(parent_context).get_span_context()
    state = parent.trace_state if parent.is_valid else None
    return SamplingResult(decision, None if decision is Decision.DROP else attributes, state)


_STATIC = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}
_BY_RATIO: dict[str, type[TraceIdRatioBased | ParentBasedTraceIdRatio]] = {
    "traceidratio": TraceIdRatioBased,
    "parentbased_traceidratio": ParentBasedTraceIdRatio,
}


def sampler_from_environment() -> Sampler:
    """Return the sampler of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; what cannot be read is said."""
    name = environment.text(OTEL_TRACES_SAMPLER)
    name = "parentbased_always_on" if name is None else name.lower()
    if name in _STATIC:
        return _STATIC[name]
    if name in _BY_RATIO:
        rate = environment.number(OTEL_TRACES_SAMPLER_ARG, maximum=1.0)
        return _BY_RATIO[name](1.0 if rate is None else rate)
    return _installed_sampler(name)


def _installed_sampler(name: str) -> Sampler:
    from millrace.sdk import entry_points  # noqa: PLC0415 - only for those who name one

    try:
        made: Sampler = entry_points.load("opentelemetry_traces_sampler", name)(
            environment.text(OTEL_TRACES_SAMPLER_ARG) or ""
        )
    except Exception as error:  # noqa: BLE001 - whatever an installed package does
        known = [*_STATIC, *_BY_RATIO]
        environment.warn(
            OTEL_TRACES_SAMPLER,
            f"expected one of {', '.join(known)}, or an installed sampler, but {error}"
            f"{environment.nearest(name, known)}; parentbased_always_on is used",
        )
        return DEFAULT_ON
    return made
