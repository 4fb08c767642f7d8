"""One line of text for each trace and each log record, for lists and for what arrives."""

from typing import Any

from millrace.cli.terminal import Terminal, clean
from millrace.cli.waterfall import duration_text, time_text

__all__ = ["log_line", "trace_line"]

_RED, _YELLOW, _CYAN = "\x1b[31m", "\x1b[33m", "\x1b[36m"
_ERROR, _WARN = 17, 13
_SEVERITY_WIDTH = 5


def trace_line(trace: dict[str, Any], terminal: Terminal) -> str:
    """Return a trace of a search as a line."""
    errors = terminal.paint(_RED, f"  {trace['errors']:,} ✗") if trace["errors"] else ""
    return (
        f"{terminal.dim(time_text(trace['start_time_unix_nano']))}  {duration_text(trace['duration_ns']):>8}  "
        f"{terminal.paint(_CYAN, clean(trace['service']))}  {clean(trace['name'])}  "
        f"{terminal.dim(clean(trace['trace_id']))}  {trace['spans']:,} span{'s' * (trace['spans'] != 1)}{errors}"
    )


def log_line(record: dict[str, Any], terminal: Terminal) -> str:
    """Return a log record as a line."""
    number = record["severity_number"]
    colour = _RED if number >= _ERROR else _YELLOW if number >= _WARN else ""
    severity = clean(record["severity_text"] or (f"{number}" if number else "-")).ljust(_SEVERITY_WIDTH)
    attributes = " ".join(f"{clean(one['key'])}={clean(str(one['value']))}" for one in record["attributes"])
    body = record["body"] if record["body"] is not None else record["event_name"]
    severity = terminal.paint(colour, severity) if colour else severity
    return (
        f"{terminal.dim(time_text(record['time_unix_nano']))}  {severity}"
        f"  {terminal.paint(_CYAN, clean(record['service']))}  {clean(str(body))}  {terminal.dim(attributes)}"
    ).rstrip()
