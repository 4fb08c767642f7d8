"""The test vectors of `docs/formats/tracezip.md`: others must read them, and ours must keep writing them."""

from pathlib import Path

import pytest

from millrace import files
from millrace.errors import DecodeError
from tests.python.commands import millrace

VECTORS = Path(__file__).parents[2] / "testdata"


def test_the_frames_of_the_vectors_hold_their_requests() -> None:
    assert list(files.read(VECTORS / "tracezip.otz")) == list(files.read(VECTORS / "tracezip.otlp"))


def test_the_requests_of_the_vectors_give_their_frames(tmp_path: Path) -> None:
    assert millrace("convert", VECTORS / "tracezip.otlp", tmp_path / "again.otz").code == 0
    assert (tmp_path / "again.otz").read_bytes() == (VECTORS / "tracezip.otz").read_bytes()


def test_files_may_be_joined(tmp_path: Path) -> None:
    joined = tmp_path / "joined.otz"
    joined.write_bytes((VECTORS / "tracezip.otz").read_bytes() * 2)
    assert list(files.read(joined)) == list(files.read(VECTORS / "tracezip.otlp")) * 2


@pytest.mark.parametrize("cut", [1, 3, 10, 1000])
def test_a_file_that_is_cut_off_is_reported(tmp_path: Path, cut: int) -> None:
    short = tmp_path / "short.otz"
    short.write_bytes((VECTORS / "tracezip.otz").read_bytes()[:-cut])
    with pytest.raises(DecodeError):
        list(files.read(short))


def test_a_damaged_frame_is_reported_with_its_offset(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.otz"
    content = bytearray((VECTORS / "tracezip.otz").read_bytes())
    content[len(content) // 2] ^= 0x55
    damaged.write_bytes(content)
    with pytest.raises(DecodeError, match="the frame at byte"):
        list(files.read(damaged))
