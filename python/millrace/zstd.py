"""zstd-compressed files as Python's streams, over the native coder."""

import io
from typing import TYPE_CHECKING, BinaryIO

from millrace import _native

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["ZstdReader", "ZstdWriter"]

_INPUT_BYTES = 1 << 17


class ZstdReader(io.RawIOBase):
    """Reads a compressed file. Memory stays bounded whatever the ratio of compression: wrap it in `BufferedReader`."""

    def __init__(self, file: BinaryIO) -> None:
        """Read from `file`, which stays open."""
        self._file = file
        self._decompressor = _native.ZstdDecompressor()
        self._input = b""

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` as far as one step goes; 0 is the end of the file.

        Raises:
            OSError: The file is damaged or ends early.
        """
        view = memoryview(buffer).cast("B")
        while True:
            if not self._input:
                self._input = self._file.read(_INPUT_BYTES)
                if not self._input and self._decompressor.between_frames:
                    return 0
                ended = not self._input
            else:
                ended = False
            output, taken = self._decompressor.decompress(self._input, len(view))
            self._input = self._input[taken:]
            if output:
                view[: len(output)] = output
                return len(output)
            if ended:
                raise EOFError("the zstd data ends early: the file is cut off")


class ZstdWriter(io.RawIOBase):
    """Writes a compressed file, as one frame. Wrap it in `BufferedWriter`."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to `file`, which stays open."""
        self._file = file
        self._compressor = _native.ZstdCompressor()

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: "ReadableBuffer") -> int:
        """Compress `data`."""
        content = bytes(data)
        self._file.write(self._compressor.compress(content))
        return len(content)

    def close(self) -> None:
        """End the frame."""
        if not self.closed:
            self._file.write(self._compressor.finish())
        super().close()
