"""Random OTLP requests, made from the descriptors of the generated protobuf classes that serve as the oracle."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace.otlp import Signal

REQUESTS: dict[Signal, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
    "profiles": ExportProfilesServiceRequest,
}

_NESTING = {"ArrayValue", "KeyValueList"}
_VALUE_DEPTH = 2
_SET = st.booleans()
_TIMES = st.integers(1, 2)
_IDS = {
    name: st.binary(min_size=length, max_size=length)
    for name, length in (("trace_id", 16), ("span_id", 8), ("parent_span_id", 8))
}
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=20),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 9),
}


@st.composite
def requests(draw: st.DrawFn, signal: Signal) -> Message:
    """Return a strategy for requests of one signal."""
    request = REQUESTS[signal]()
    _fill(draw, request, 0)
    return request


def _fill(draw: st.DrawFn, message: Message, depth: int) -> None:
    """Set some of the fields of a message, which ones and to what as Hypothesis draws."""
    for field in message.DESCRIPTOR.fields:
        if not draw(_SET):
            continue
        times = draw(_TIMES) if field.is_repeated else 1
        if field.message_type is None:
            drawn = [draw(_scalar(field)) for _ in range(times)]
            if field.is_repeated:
                getattr(message, field.name).extend(drawn)
            else:
                setattr(message, field.name, drawn[0])
        elif (deeper := depth + (field.message_type.name in _NESTING)) <= _VALUE_DEPTH:
            for _ in range(times):
                target = getattr(message, field.name)
                _fill(draw, target.add() if field.is_repeated else target, deeper)
                if not field.is_repeated:
                    target.SetInParent()


def _scalar(field: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - the pure Python or the upb descriptor
    return _IDS.get(field.name, _SCALARS[field.type])
