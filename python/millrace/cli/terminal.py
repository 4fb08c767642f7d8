"""What people see: messages and progress on standard error, tables on standard output."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

__all__ = ["Progress", "Terminal", "clean", "table"]

_BOLD, _RED, _YELLOW, _DIM, _RESET = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_REDRAW_S = 0.1
_BAR_WIDTH = 24


def clean(text: str) -> str:
    """Return `text` without control characters: what telemetry contains must not steer the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return columns aligned with spaces; numbers to the right, with separators of thousands."""
    body = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    right = [isinstance(cell, int) for cell in next(iter(rows), ())] if isinstance(rows, Sequence) else []
    widths = [max(len(row[at]) for row in (head, *body)) for at in range(len(head))]
    lines = []
    for row in ([*head], *body):
        cells = [
            cell.rjust(width) if at < len(right) and right[at] else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


class Terminal:
    """Standard error, with colours where they are wanted."""

    def __init__(self, color: str = "auto", stream: TextIO | None = None) -> None:
        """Decide on colours: `--color` wins over `NO_COLOR`, that over what the stream is."""
        self.stream = stream or sys.stderr
        self.is_tty = self.stream.isatty()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.color = color == "always" or (color == "auto" and self.is_tty and not plain)

    def paint(self, code: str, text: str) -> str:
        """Return `text` in a colour."""
        return f"{code}{text}{_RESET}" if self.color else text

    def bold(self, text: str) -> str:
        """Return `text` in bold."""
        return self.paint(_BOLD, text)

    def dim(self, text: str) -> str:
        """Return `text` in a weaker colour."""
        return self.paint(_DIM, text)

    def say(self, text: str) -> None:
        """Write one line."""
        print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.say(f"{self.paint(_YELLOW, 'warning:')} {text}")

    def error(self, text: str) -> None:
        """Write an error."""
        self.say(f"{self.paint(_RED, 'error:')} {text}")


class Progress:
    """A line that is drawn again and again, on a terminal only."""

    def __init__(self, terminal: Terminal, unit: str, total: int | None = None) -> None:
        """Count `unit`s, up to `total` where it is known."""
        self.terminal = terminal
        self.unit = unit
        self.total = total
        self._drawn = 0.0

    def update(self, done: int, note: str = "") -> None:
        """Draw how far it is, at most ten times a second."""
        now = time.monotonic()
        if self.terminal.is_tty and now - self._drawn >= _REDRAW_S:
            self._drawn = now
            self.terminal.stream.write(f"\r\x1b[K{self._line(done, note)}")
            self.terminal.stream.flush()

    def close(self) -> None:
        """Wipe the line."""
        if self._drawn:
            self.terminal.stream.write("\r\x1b[K")
            self.terminal.stream.flush()

    def _line(self, done: int, note: str) -> str:
        if not self.total:
            return f"{done:,} {self.unit}  {note}"
        filled = min(_BAR_WIDTH, done * _BAR_WIDTH // self.total)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        return f"[{bar}] {min(100, done * 100 // self.total):3d} %  {done:,} of {self.total:,} {self.unit}  {note}"
