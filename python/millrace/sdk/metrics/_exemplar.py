"""The exemplar as Python readers and reservoirs know it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes


@dataclass(frozen=True)
class Exemplar:
    """A measurement that stands for many, with the attributes that its point does not have."""

    filtered_attributes: "Attributes"
    value: float
    time_unix_nano: int
    span_id: int | None = None
    trace_id: int | None = None
