"""Exit codes of the command line."""

__all__ = ["DONE", "FAILED", "INTERRUPTED", "PARTIAL", "PIPE_CLOSED", "UNREACHABLE", "USAGE"]

DONE = 0
FAILED = 1
"""Something was found, as `config validate` finds errors, or the command failed."""
USAGE = 2
"""Wrong arguments."""
UNREACHABLE = 3
"""The endpoint cannot be reached."""
PARTIAL = 4
"""The endpoint rejected a part."""
INTERRUPTED = 130
"""Ctrl-C: 128 and the number of the signal, as shells count."""
PIPE_CLOSED = 141
"""Nobody reads the output any more, counted the same way."""
