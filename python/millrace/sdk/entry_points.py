"""What other installed packages offer under an entry-point group; looked up only when something names it."""

from typing import Any

__all__ = ["load", "registered"]


def load(group: str, name: str) -> Any:  # noqa: ANN401 - whatever the package offers
    """Return what is registered as `name` in `group`.

    Raises:
        LookupError: No installed package has it.
    """
    # The API's own lookup reads the metadata of all installed packages once for a process and remembers it.
    from opentelemetry.util._importlib_metadata import entry_points  # noqa: PLC0415 - 10 ms that most never need

    for entry_point in entry_points(group=group, name=name):
        return entry_point.load()
    raise LookupError(f'no installed package offers "{name}" as an entry point of the group {group}')


def registered(group: str) -> list[str]:
    """Return the names in `group`, sorted, each once."""
    from opentelemetry.util._importlib_metadata import entry_points  # noqa: PLC0415 - as above

    return sorted({entry_point.name for entry_point in entry_points(group=group)})
