"""The folder that `millrace serve` keeps telemetry in, and who serves it: found by every command that looks into it."""

import json
import os
import sys
from contextlib import contextmanager

from millrace.cli.arguments import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

__all__ = ["add_data", "default_folder", "folder_of", "read_server", "serving_here", "write_server"]

_LOCK = "server.lock"
_CARD = "server.json"


def default_folder() -> "Path":
    """Return the folder for the data of this user's programs, as the platform has it."""
    from pathlib import Path

    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/millrace"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "millrace"


def add_data(parser: Parser) -> None:
    """Add `--data`, which every command has that looks into a store."""
    parser.add_argument("--data", metavar="DIR", help="the folder of the store (the user's data folder)")


def folder_of(data: str | None) -> "Path":
    """Return the folder that is meant, whether it is there or not.

    Raises:
        ValueError: It is no folder but a file.
    """
    from pathlib import Path

    folder = Path(data).expanduser() if data else default_folder()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: --data names the folder of a store")
    return folder


@contextmanager
def serving_here(folder: "Path") -> "Iterator[bool]":
    """Be the one server of a folder while the block runs; false when another process is.

    The lock ends with the process, however it ends, so nothing that it leaves behind can be in anybody's way.
    """
    import fcntl

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            (folder / _CARD).unlink(missing_ok=True)


def write_server(folder: "Path", card: "dict[str, Any]") -> None:
    """Say who serves the folder; only its user can read that, because it has the token."""
    written = folder / f"{_CARD}.new"
    written.unlink(missing_ok=True)
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(card, file)
    written.replace(folder / _CARD)


def read_server(folder: "Path") -> "dict[str, Any] | None":
    """Return who serves a folder at this moment, or nothing."""
    import fcntl

    try:
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
            return None  # nobody holds it: a card that is still there is of a server that was killed
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        card = json.loads((folder / _CARD).read_text())
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None
