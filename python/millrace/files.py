"""Files of OTLP requests, chosen by their ending.

====================  ==================================================================================
`.jsonl`, `.json`     OTLP/JSON, one request a line; a `.json` file may also spread one over many lines
`.otlp`               protobuf, each request preceded by its length in 4 bytes, big-endian
`.gz`, `.zst` after   the same, compressed as a whole
`.otz`                frames of tracezip, each preceded by its length in 4 bytes, big-endian
`.parquet`            items of one signal as a store keeps them; read here, written by `millrace export`
====================  ==================================================================================

The Collector's file exporter writes both forms, and so does that of millrace. The signal of JSON is told by its first
name (`resourceSpans` and so on), that of protobuf by :func:`millrace.otlp.detect` unless it is given.
"""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from millrace import _native, otlp
from millrace.errors import DecodeError, StoreError
from millrace.zstd import ZstdReader, ZstdWriter

__all__ = ["REQUEST_BYTES_MAX", "Format", "Request", "Writer", "format_of", "read"]

REQUEST_BYTES_MAX = 64 << 20
"""Largest request read from a file: OTLP's own recommendation for receivers."""

_LENGTH_BYTES = 4
_FILE_SESSION = 1
"""The session of a file: nobody else is there to tell it from, and the same requests give the same bytes."""
_SIGNALS: tuple[otlp.Signal, ...] = ("traces", "metrics", "logs", "profiles")
_SIGNAL_KEYS: dict[str, otlp.Signal] = {
    "resourceSpans": "traces",
    "resourceMetrics": "metrics",
    "resourceLogs": "logs",
    "resourceProfiles": "profiles",
}


class Format(NamedTuple):
    """How a file is written."""

    encoding: str
    """`jsonl`, `json`, `otlp`, `otz` or `parquet`."""
    compression: str | None
    """`gz`, `zst`, or `None`."""


class Request(NamedTuple):
    """One request of a file."""

    signal: otlp.Signal
    data: bytes
    """Protobuf, validated."""


def format_of(path: str | Path) -> Format:
    """Return the format that the ending of a name stands for.

    Raises:
        ValueError: It stands for none.
    """
    *_, ending, last = ["", "", *Path(path).name.lower().split(".")]
    compression = last if last in {"gz", "zst"} else None
    encoding = ending if compression else last
    if encoding in {"otz", "parquet"} and compression is None:
        return Format(encoding, None)
    if encoding not in {"json", "jsonl", "otlp"}:
        endings = ".otz, .parquet, .jsonl, .json or .otlp (the last three then .gz or .zst)"
        raise ValueError(f"expected a name that ends in {endings}, got {str(path)!r}")
    return Format(encoding, compression)


def read(path: str | Path, signal: otlp.Signal | None = None, *, like: Format | None = None) -> Iterator[Request]:
    """Read the requests of a file, one at a time.

    Args:
        path: The file, or `-` for standard input.
        signal: The signal of an `.otlp` file, where it cannot be told from the bytes.
        like: The format; by default that of the ending. Standard input needs it.

    Raises:
        OSError: The file cannot be read.
        ValueError: Its ending stands for no format.
        millrace.errors.DecodeError: It does not hold OTLP, or is damaged as a compressed file; `offset` counts
            uncompressed bytes.
    """
    encoding, compression = like or format_of(path)
    if encoding == "parquet":
        yield from _read_parquet(Path(path))
        return
    raw = sys.stdin.buffer if str(path) == "-" else Path(path).open("rb")  # noqa: SIM115 - closed below
    with closing(raw), closing(_uncompressed(raw, compression)) as file:
        try:
            if encoding == "otlp":
                yield from _read_otlp(file, signal)
            elif encoding == "otz":
                yield from _read_otz(file)
            else:
                yield from _read_json(file, whole=encoding == "json")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DecodeError(f"{path} is damaged as a compressed file: {error}") from error


class Writer:
    """Writes requests to a file; a context manager.

    Args:
        path: The file, or `-` for standard output.
        like: The format; by default that of the ending. Standard output needs it.

    Raises:
        OSError: The file cannot be written.
        ValueError: Its ending stands for no format.
    """

    def __init__(self, path: str | Path, *, like: Format | None = None) -> None:
        self._format = like or format_of(path)
        if self._format.encoding == "parquet":
            message = "requests are not written as Parquet one by one: `millrace import` them into a store"
            raise ValueError(f"{message}, and `millrace export {path} --signal ...` from there")
        standard = str(path) == "-"
        self._raw: BinaryIO = sys.stdout.buffer if standard else Path(path).open("wb")  # noqa: SIM115 - see close()
        self._file = _compressed(self._raw, self._format.compression)
        self._tracezip = _native.TracezipCompressor(_FILE_SESSION) if self._format.encoding == "otz" else None

    def write(self, signal: otlp.Signal, request: bytes) -> None:
        """Append a request.

        Raises:
            millrace.errors.DecodeError: The bytes are not a request of this signal.
            ValueError: It is longer than 4 bytes can say.
        """
        if self._tracezip is not None:
            otlp.validate(signal, request)
            request = self._tracezip.compress(signal, request)
        elif self._format.encoding != "otlp":
            self._file.write(otlp.to_json(signal, request) + b"\n")
            return
        if len(request) >= 1 << 8 * _LENGTH_BYTES:
            raise ValueError(f"a request in an .otlp file has less than 4 GiB, got {len(request)} bytes")
        self._file.write(len(request).to_bytes(_LENGTH_BYTES, "big") + request)

    def close(self) -> None:
        """Finish the file."""
        if self._file is not self._raw:
            self._file.close()
        if self._raw is sys.stdout.buffer:
            self._raw.flush()
        else:
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _uncompressed(file: BinaryIO, compression: str | None) -> BinaryIO:
    match compression:
        case "gz":
            return gzip.GzipFile(fileobj=file, mode="rb")  # type: ignore[return-value] # a BinaryIO in all that is used
        case "zst":
            return io.BufferedReader(ZstdReader(file))
    return file


def _compressed(file: BinaryIO, compression: str | None) -> BinaryIO:
    match compression:
        case "gz":
            # No time and no name inside: the same requests give the same bytes.
            return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)  # type: ignore[return-value]
        case "zst":
            return io.BufferedWriter(ZstdWriter(file))
    return file


def _read_otlp(file: BinaryIO, signal: otlp.Signal | None) -> Iterator[Request]:
    offset = 0
    while prefix := file.read(_LENGTH_BYTES):
        length = int.from_bytes(prefix, "big")
        if len(prefix) == _LENGTH_BYTES and length > REQUEST_BYTES_MAX:
            message = f"byte {offset} says that a request of {length} bytes follows, more than {REQUEST_BYTES_MAX}"
            raise DecodeError(f"{message}: this is no .otlp file, or it is damaged", offset)
        data = file.read(length)
        if len(prefix) + len(data) != _LENGTH_BYTES + length:
            raise DecodeError(f"the file ends within the request that starts at byte {offset}: it is cut off", offset)
        offset += _LENGTH_BYTES
        found = signal or otlp.detect(data)
        if found:
            _check(found, data, offset)
            yield Request(found, data)
        elif data:  # an empty request of no known signal is nothing at all
            message = f"the signal of the request at byte {offset} cannot be told from its bytes"
            raise DecodeError(f"{message}: name it (--signal), or it is damaged", offset)
        offset += length


def _read_otz(file: BinaryIO) -> Iterator[Request]:
    sessions = _native.TracezipDecompressor()
    offset = 0
    while prefix := file.read(_LENGTH_BYTES):
        length = int.from_bytes(prefix, "big")
        if len(prefix) == _LENGTH_BYTES and length > REQUEST_BYTES_MAX:
            message = f"byte {offset} says that a frame of {length} bytes follows, more than {REQUEST_BYTES_MAX}"
            raise DecodeError(f"{message}: this is no .otz file, or it is damaged", offset)
        frame = file.read(length)
        if len(prefix) + len(frame) != _LENGTH_BYTES + length:
            raise DecodeError(f"the file ends within the frame that starts at byte {offset}: it is cut off", offset)
        try:
            data = sessions.decompress(frame)
        except DecodeError as error:
            raise DecodeError(f"the frame at byte {offset}: {error}", offset) from error
        signal = _SIGNALS[frame[0] >> 4 & 3]
        _check(signal, data, offset)
        yield Request(signal, data)
        offset += _LENGTH_BYTES + length


def _read_parquet(path: Path) -> Iterator[Request]:
    try:
        signal, groups = _native.describe_store_file(str(path))
        if signal is None:
            raise DecodeError(f"{path} has not the columns of a store's files, so there is no OTLP in it", 0)
        for group in range(groups):
            for data in _native.read_store_file(signal, str(path), group):
                yield Request(signal, data)
    except StoreError as error:
        path.stat()  # which says it better where there is no such file
        raise DecodeError(f"this is no Parquet file, or it is damaged: {error}", 0) from error


def _check(signal: otlp.Signal, data: bytes, offset: int) -> None:
    try:
        otlp.validate(signal, data)
    except DecodeError as error:
        raise DecodeError(f"the request at byte {offset}: {error}", offset + error.offset) from error


def _read_json(file: BinaryIO, *, whole: bool) -> Iterator[Request]:
    offset = 0
    first = True
    while line := file.readline(REQUEST_BYTES_MAX + 1):
        if len(line) > REQUEST_BYTES_MAX:
            raise DecodeError(f"the line at byte {offset} is longer than {REQUEST_BYTES_MAX} bytes", offset)
        if first and whole and not _is_json(line):
            line += file.read(REQUEST_BYTES_MAX + 1 - len(line))
            if len(line) > REQUEST_BYTES_MAX:
                raise DecodeError(f"the file has more than {REQUEST_BYTES_MAX} bytes", 0)
        if line.strip():
            yield _from_json(line, offset)
            first = False
        offset += len(line)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _from_json(line: bytes, offset: int) -> Request:
    signal = _signal_of(line, offset)
    try:
        return Request(signal, otlp.from_json(signal, line))
    except DecodeError as error:
        raise DecodeError(f"the request at byte {offset}: {error}", offset + error.offset) from error


def _signal_of(line: bytes, offset: int) -> otlp.Signal:
    """Tell the signal of OTLP/JSON by the first of its names, which costs nothing when it comes first."""
    start = line[:64].lstrip().removeprefix(b"{").lstrip()
    for key, signal in _SIGNAL_KEYS.items():
        if start.startswith(f'"{key}"'.encode()):
            return signal
    try:
        keys = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the line at byte {offset} is not JSON: {error}", offset) from error
    for key, signal in _SIGNAL_KEYS.items():
        if isinstance(keys, dict) and key in keys:
            return signal
    raise DecodeError(f"the line at byte {offset} has none of the names {', '.join(_SIGNAL_KEYS)}", offset)
