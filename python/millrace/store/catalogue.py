"""The files of a store, by what their names say.

The names are written by the exporter (`crates/pipeline/src/exporters/store/directory.rs`, which also says what they
mean). A look is one listing of each directory; nothing is opened.
"""

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from millrace.errors import StoreError

__all__ = [
    "FORMAT",
    "SIGNALS",
    "WHOLE_ROWS",
    "File",
    "Signal",
    "check_format",
    "foreign",
    "look",
    "overlapping",
    "removed",
]

Signal: TypeAlias = Literal["traces", "logs", "metrics", "profiles"]
SIGNALS: tuple[Signal, ...] = ("traces", "logs", "metrics", "profiles")

FORMAT = "millrace store 1"

WHOLE_ROWS = 131_072
"""A file of so many rows is merged no more: `WHOLE_ROWS` of the exporter's `upkeep.rs`."""

_SUFFIX = ".parquet"
_UNFINISHED = ".unfinished-"
_NUMBERS = 5
_NAMES = 65_536
"""So many names are remembered with what they say: a look sees mostly those of the look before."""


class File(NamedTuple):
    """One file of a store."""

    path: str
    first: int
    """The least time in it, in nanoseconds since 1970: of spans their start."""
    last: int
    """The greatest time in it."""
    rows: int
    from_number: int
    """Its place in the sequence of all files of its signal: merged files take the places of those they were made of."""
    to_number: int


def check_format(path: Path) -> None:
    """Raise `StoreError` unless `path` holds a store that this version reads."""
    name = path / "FORMAT"
    try:
        text = name.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        found = f"{path} is not a store: it has no file FORMAT" if path.is_dir() else f"there is no store in {path}"
        raise StoreError(f"{found}; `millrace serve --data {path}` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{name} cannot be read: {error}") from error
    if text != FORMAT:
        message = f"{name} says {text[:60]!r}, and this version reads {FORMAT!r}"
        raise StoreError(f"{message}: use the version of millrace that wrote it")


def look(path: Path, signal: Signal) -> list[File]:
    """Return the files of a signal that count, in their sequence."""
    folder = f"{path}/{signal}"
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a thousand names, twice a second
    except FileNotFoundError:
        return []
    files = sorted(
        (file for name in names if (file := _parse(folder, name))), key=lambda file: (file.from_number, -file.to_number)
    )
    kept: list[File] = []
    for file in files:
        if not kept or file.to_number > kept[-1].to_number:  # else it is a part of that one
            kept.append(file)
    return kept


def foreign(path: Path) -> dict[str, str]:
    """Return the Parquet files beside those of the store, with the reason why none of them is looked at."""
    reason = "its name is not one that a store gives: FIRST-LAST-ROWS-FROM-TO.parquet, each a number"
    found: dict[str, str] = {}
    for signal in SIGNALS:
        folder = path / signal
        names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - as above
        found |= {
            f"{folder}/{name}": reason
            for name in sorted(names)
            if name.endswith(_SUFFIX) and not name.startswith(_UNFINISHED) and _parse(str(folder), name) is None
        }
    return found


@lru_cache(_NAMES)
def _parse(folder: str, name: str) -> File | None:
    stem = name.removesuffix(_SUFFIX)
    numbers = stem.split("-")
    if stem == name or len(numbers) != _NUMBERS or not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    return File(f"{folder}/{name}", *map(int, numbers))


def overlapping(files: Iterable[File], start: int | None, end: int | None) -> list[File]:
    """Return the files with items between two times, both inclusive."""
    return [file for file in files if (end is None or file.first <= end) and (start is None or file.last >= start)]


def removed(path: Path) -> dict[str, dict[str, int]]:
    """Return how many files, rows and bytes retention has removed so far, by signal."""
    try:
        counts = json.loads((path / "removed.json").read_bytes())["removed"]
    except FileNotFoundError:
        counts = {}
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{path / 'removed.json'} cannot be read: {error}") from error
    nothing = {"files": 0, "rows": 0, "bytes": 0}
    return {signal: {**nothing, **counts.get(signal, {})} for signal in SIGNALS}
