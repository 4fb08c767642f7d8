"""What is wrong with a configuration: each problem with its place, collected until all are known."""

from collections.abc import Iterable
from typing import NamedTuple

from millrace.errors import ConfigError

__all__ = ["Place", "Problem", "Problems", "escaped", "nearest"]


class Place(NamedTuple):
    """Where in the configuration something stands."""

    setting: str = ""
    """Dotted path, such as `exporters.otlp.endpoint`."""
    line: int | None = None
    column: int | None = None
    source: str | None = None
    """What set it instead of the file: a flag of the command line."""

    def below(self, name: str) -> "Place":
        """Return the place of the setting `name` (or the item `[0]`) inside this one, on the same line."""
        dot = "." if self.setting and not name.startswith("[") else ""
        return self._replace(setting=f"{self.setting}{dot}{name}")


class Problem(NamedTuple):
    """One thing that is wrong, as a sentence for a human."""

    file: str | None
    line: int | None
    column: int | None
    setting: str
    message: str
    hint: str | None

    def __str__(self) -> str:
        """Return `file:line:column: setting: message`, and the hint on a second line."""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        parts = [part for part in (where, escaped(self.setting), self.message) if part]
        return ": ".join(parts) + (f"\n  hint: {self.hint}" if self.hint else "")


class Problems:
    """Errors and warnings found so far. Reading goes on after an error, so that one run names them all."""

    def __init__(self, file: str | None = None) -> None:
        """Begin with none, for the configuration in `file`."""
        self.file = file
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(self, place: Place, message: str, hint: str | None = None) -> None:
        """Add what keeps the configuration from being used."""
        self._add(self.errors, place, message, hint)

    def warn(self, place: Place, message: str, hint: str | None = None) -> None:
        """Add what its author should know although it can be used."""
        self._add(self.warnings, place, message, hint)

    def raise_errors(self) -> None:
        """Raise all errors as one; do nothing when there are none."""
        if self.errors:
            raise self.as_error()

    def as_error(self) -> ConfigError:
        """Return all errors as one, in the order of the file."""
        return ConfigError(sorted(self.errors, key=lambda problem: (problem.line or 0, problem.column or 0)))

    def _add(self, to: list[Problem], place: Place, message: str, hint: str | None) -> None:
        problem = Problem(place.source or self.file, place.line, place.column, place.setting, message, hint)
        if problem not in to:  # an anchor used twice is wrong once
            to.append(problem)


def escaped(text: str) -> str:
    """Return `text` without control characters: a configuration may come from anywhere, and errors go to a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the hint that names the likeliest intended one of `names`, or lists them all."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a faulty configuration pays for it

    known = sorted(names)
    if not known:
        return None
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"expected one of: {', '.join(known)}"
