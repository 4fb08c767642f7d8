"""Says in one line what to install when a command needs the extra that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

from millrace.errors import MillraceError

__all__ = ["ExtraMissingError", "needed"]

_OURS = ("duckdb", "starlette", "uvicorn", "pyarrow", "anyio")


class ExtraMissingError(MillraceError):
    """A part of millrace that was not installed."""


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Turn a failed import of the extra's packages into a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OURS:
            raise
        raise ExtraMissingError(
            f"{what} needs {error.name}, which is not installed: pip install 'millrace[store]'"
        ) from error
