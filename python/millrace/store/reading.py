"""Reads the files of a signal in their sequence, each item once, while a writer merges and removes files."""

import os
from collections.abc import Container, Iterator
from contextlib import ExitStack
from pathlib import Path

from millrace._native import concatenate_store_files, read_store_file
from millrace.errors import StoreError
from millrace.store.catalogue import WHOLE_ROWS, File, Signal, look

__all__ = ["in_sequence", "write_parquet"]

_HELD_MAX = 512
"""Files that are held open at once: half of what a process may open by default. Merging leaves far fewer small ones."""
_ATTEMPTS = 8


def in_sequence(folder: Path, signal: Signal, skipped: Container[str] = ()) -> Iterator[bytes]:
    """Yield everything of a signal that is there when this begins.

    Small files are held open from the beginning, so they can be read when they have long been merged into another one,
    which would say the same a second time.

    Args:
        folder: The store.
        signal: The signal.
        skipped: Files that are known to be no Parquet files.

    Raises:
        StoreError: A file is damaged; or more small files were merged than could be held.
    """
    with ExitStack() as stack:
        held = _hold(folder, signal, stack)
        done = 0
        for file, descriptor in held:
            if file.to_number <= done or file.path in skipped:
                continue
            where = file.path if descriptor is None else f"/dev/fd/{descriptor}"
            done = file.to_number
            try:
                requests = read_store_file(signal, where)
            except StoreError as error:
                if descriptor is not None or Path(file.path).exists():
                    raise StoreError(str(error).replace(where, file.path)) from error
                requests, done = _instead(folder, signal, file)
            yield from requests


def write_parquet(folder: Path, signal: Signal, out: Path, skipped: Container[str] = ()) -> int:
    """Write everything of a signal that is there when this begins to one Parquet file; return how many items.

    Where there are none, nothing is written.

    Raises:
        StoreError: A file is damaged; or more small files were merged than could be held; or `out` cannot be written.
    """
    with ExitStack() as stack:
        wheres = {
            file.path if descriptor is None else f"/dev/fd/{descriptor}": file.path
            for file, descriptor in _hold(folder, signal, stack)
            if file.path not in skipped
        }
        if not wheres:
            return 0
        try:
            return concatenate_store_files(signal, list(wheres), str(out))
        except StoreError as error:
            said = str(error)
            for where, path in wheres.items():
                if said.startswith(f"{where}: "):
                    said = path + said.removeprefix(where)
            raise StoreError(said) from error


def _hold(folder: Path, signal: Signal, stack: ExitStack) -> list[tuple[File, int | None]]:
    """Return the files that count, with the descriptor of each that a writer may merge."""
    for attempt in range(_ATTEMPTS):
        with ExitStack() as opened:
            held: list[tuple[File, int | None]] = []
            left = _HELD_MAX
            try:
                for file in look(folder, signal):
                    descriptor = None
                    if file.rows < WHOLE_ROWS and left:
                        descriptor = os.open(file.path, os.O_RDONLY)
                        opened.callback(os.close, descriptor)
                        left -= 1
                    held.append((file, descriptor))
            except FileNotFoundError:
                if attempt < _ATTEMPTS - 1:
                    continue  # merged since the look: what is there now says the same
                raise
            stack.push(opened.pop_all())
            return held
    raise AssertionError("the last attempt returns or raises")


def _instead(folder: Path, signal: Signal, gone: File) -> tuple[list[bytes], int]:
    """Read what has taken a file's place, which is nothing where retention has removed it."""
    for file in look(folder, signal):
        if file.from_number == gone.from_number and file.to_number >= gone.to_number:
            return read_store_file(signal, file.path), file.to_number
        if file.from_number <= gone.to_number and gone.from_number <= file.to_number:
            message = f"{gone.path} was merged with files that had been read before; ask again"
            raise StoreError(message)
    return [], gone.to_number
