"""Every exception that millrace raises."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millrace.gateway.config.problems import Problem

__all__ = [
    "ConfigError",
    "DecodeError",
    "GatewayError",
    "ItemTooLargeError",
    "MillraceError",
    "SettingsError",
    "StoreError",
    "UnreachableError",
]


class MillraceError(Exception):
    """The parent of every exception below: catch it to catch them all."""


class ConfigError(MillraceError, ValueError):
    """A configuration that cannot be used.

    All problems of the file are found at once; the message names each on a line of its own. The attributes describe
    the first of them, `problems` all of them.

    Attributes:
        problems: Every error found, in the order of the file.
        file: The file the first problem is in, or `None` for a configuration given as a mapping.
        line: Its line, counted from 1, or `None`.
        setting: The dotted path of the setting, such as `exporters.otlp.endpoint`.
        hint: What to do about it, where there is something to say.
    """

    def __init__(self, problems: "Sequence[Problem]") -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        first = self.problems[0]
        self.file = first.file
        self.line = first.line
        self.setting = first.setting
        self.hint = first.hint


class DecodeError(MillraceError, ValueError):
    """Bytes that are not an OTLP request.

    Attributes:
        offset: The byte at which decoding stopped, counted from 0.
    """

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class ItemTooLargeError(MillraceError, ValueError):
    """One span, log record, metric or profile is larger than the size a request was to be split at.

    Attributes:
        size: The smallest request that holds the item, in bytes.
        limit: The size that was asked for, in bytes.
    """

    def __init__(self, message: str, size: int, limit: int) -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit


class GatewayError(MillraceError, RuntimeError):
    """A gateway that cannot start, or is used in a state that does not allow it."""


class UnreachableError(MillraceError, ConnectionError):
    """An endpoint that cannot be reached, or an address that cannot be listened on."""


class SettingsError(MillraceError, ValueError):
    """Settings with which the SDK cannot record or export; raised by `configure(strict=True)` only."""


class StoreError(MillraceError, RuntimeError):
    """A store that cannot be opened or read, or a query that cannot be answered."""
