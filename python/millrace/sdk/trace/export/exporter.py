"""What exports spans in Python, and the exporter that prints them."""

import enum
import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from millrace._native import Span

__all__ = ["ConsoleSpanExporter", "SpanExportResult", "SpanExporter"]


class SpanExportResult(enum.Enum):
    """How an export ended."""

    SUCCESS = 0
    FAILURE = 1


class SpanExporter:
    """Delivers spans that have ended; upstream's class of this name serves as well."""

    def export(self, spans: "Sequence[Span]") -> SpanExportResult:
        """Deliver `spans`."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """Finish; nothing is exported afterwards."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - for those who override
        """Deliver what is held."""
        return True


def _json_line(span: "Span") -> str:
    return span.to_json() + os.linesep


class ConsoleSpanExporter(SpanExporter):
    """Prints spans as JSON, for a look while developing.

    Args:
        service_name: Not used; upstream has it.
        out: Where to.
        formatter: How.
    """

    def __init__(
        self,
        service_name: str | None = None,
        out: IO[str] | None = None,
        formatter: "Callable[[Span], str]" = _json_line,
    ) -> None:
        self.service_name = service_name
        self.out = sys.stdout if out is None else out
        self.formatter = formatter

    def export(self, spans: "Sequence[Span]") -> SpanExportResult:  # noqa: D102 - as in the parent
        for span in spans:
            self.out.write(self.formatter(span))
        self.out.flush()
        return SpanExportResult.SUCCESS
