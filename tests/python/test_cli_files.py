"""`millrace convert`, `inspect` and `gen --output`: files of every ending, whole and damaged."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from millrace import files
from millrace.errors import DecodeError
from millrace.otlp import SIGNALS, Signal
from tests.python.commands import millrace

ENDINGS = ("jsonl", "jsonl.gz", "jsonl.zst", "otlp", "otlp.gz", "otlp.zst", "otz")


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """A file with 1,000 generated spans in ten requests."""
    file = tmp_path / "generated.otlp"
    assert millrace("gen", "--items", 1_000, "--output", file).code == 0
    return file


def a_span(**settings: Any) -> bytes:  # noqa: ANN401 - any field of a span
    """Return a request with one span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(**settings)
    span.trace_id, span.span_id, span.start_time_unix_nano, span.end_time_unix_nano = b"t" * 16, b"s" * 8, 1, 2
    return request.SerializeToString()


def framed(*requests: bytes) -> bytes:
    """Return requests as an `.otlp` file has them."""
    return b"".join(len(request).to_bytes(4, "big") + request for request in requests)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_converts_to_every_format_and_back(generated: Path, ending: str) -> None:
    middle, back = generated.with_name(f"middle.{ending}"), generated.with_name("back.otlp")

    assert millrace("convert", generated, middle).code == 0
    assert millrace("convert", middle, back).code == 0

    assert list(files.read(back)) == list(files.read(generated))


def test_compressed_files_are_read_and_written_as_others_do(generated: Path) -> None:
    plain = generated.read_bytes()
    zst, gz = generated.with_name("a.otlp.zst"), generated.with_name("a.otlp.gz")
    millrace("convert", generated, zst)
    millrace("convert", generated, gz)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(zst.read_bytes()) == plain
    assert gzip.decompress(gz.read_bytes()) == plain

    zst.write_bytes(zstandard.compress(plain[:100]) + zstandard.compress(plain[100:]))
    gz.write_bytes(gzip.compress(plain[:100]) + gzip.compress(plain[100:]))

    assert list(files.read(zst)) == list(files.read(gz)) == list(files.read(generated))


def test_standard_input_and_output_need_a_format(generated: Path) -> None:
    result = millrace("convert", "--from", "otlp", "--to", "jsonl", "-", "-", stdin=generated.read_bytes())

    assert result.code == 0
    assert len(result.out.splitlines()) == 10
    assert json.loads(result.out.splitlines()[0]).keys() == {"resourceSpans"}


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_signal_is_told_from_the_bytes(tmp_path: Path, signal: Signal) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", signal, "--items", 10, "--output", file)

    assert {request.signal for request in files.read(file)} == {signal}


def test_a_json_file_may_spread_a_request_over_many_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "a"}
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, indent=2), encoding="utf-8")

    assert [request.signal for request in files.read(file)] == ["traces"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.otlp", framed(a_span())[:-1], "the file ends within the request that starts at byte 0: it is cut off"),
        ("a.otlp", b"\x00\x00", "the file ends within the request that starts at byte 0"),
        ("a.otlp", b"\xff\xff\xff\xff123", "a request of 4294967295 bytes follows, more than 67108864"),
        ("a.otlp", framed(b"\x0a\x05abc"), "cannot be told from its bytes"),
        ("a.jsonl", b'{"resourceSpans": [\n', "the request at byte 0: not valid OTLP/JSON"),
        ("a.jsonl", b'{"spans": []}\n', "has none of the names resourceSpans"),
        ("a.jsonl", b"[]\n", "has none of the names resourceSpans"),
        ("a.jsonl", b"[" * 100_000 + b"\n", "is not JSON"),
        ("a.otlp.gz", gzip.compress(framed(a_span()), mtime=0)[:-9], "damaged as a compressed file"),
        ("a.otlp.gz", b"no gzip", "damaged as a compressed file"),
        ("a.otlp.zst", zstandard.compress(framed(a_span()))[:-2], "damaged as a compressed file"),
        ("a.otlp.zst", b"no zstd at all", "the zstd data is damaged"),
    ],
)
def test_h7_a_damaged_file_is_reported(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(DecodeError, match=message):
        list(files.read(file))

    result = millrace("inspect", file)
    assert result.code == 1
    assert message in result.err


def test_s1_a_decompression_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb.jsonl.zst"
    compressor = zstandard.ZstdCompressor().compressobj()
    file.write_bytes(b"".join(compressor.compress(bytes(1 << 20)) for _ in range(512)) + compressor.flush())

    with pytest.raises(DecodeError, match="is longer than 67108864 bytes"):
        list(files.read(file))


def test_an_ending_without_a_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"")

    result = millrace("inspect", file)

    assert result.code == 1
    assert "expected a name that ends in .otz, .parquet, .jsonl, .json or .otlp" in result.err


def test_a_file_that_does_not_exist_is_reported() -> None:
    result = millrace("inspect", "/nonexistent.otlp")

    assert (result.code, result.err) == (1, "error: /nonexistent.otlp: No such file or directory\n")


def test_inspect_counts_what_there_is(generated: Path) -> None:
    found = json.loads(millrace("inspect", "--json", generated).out)

    assert [(row["signal"], row["requests"], row["items"], row["invalid"]) for row in found["signals"]] == [
        ("traces", 10, 1_000, 0)
    ]
    assert sum(row["items"] for row in found["services"]) == 1_000
    assert sum(row["count"] for row in found["names"]) == 1_000


def test_inspect_shows_a_table_and_a_tree(generated: Path) -> None:
    result = millrace("inspect", "--tree", generated)

    assert result.out.startswith("signal  requests  items  invalid")
    assert "traces        10  1,000        0" in result.out
    assert result.err == ""


def test_s14_control_characters_of_telemetry_do_not_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    file.write_bytes(framed(a_span(name="\x1b[2Jx\u202ey\r\n")))

    shown = millrace("inspect", "--tree", file).out

    assert "\\x1b[2Jx\\x202ey\\x0d\\x0a" in shown


def test_a_reader_that_goes_away_is_no_error(generated: Path) -> None:
    import subprocess  # noqa: PLC0415 - only here

    from tests.python.commands import PROGRAM  # noqa: PLC0415 - only here

    command = [*PROGRAM, "inspect", "--requests", str(generated)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_generated_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"

    millrace("gen", "--items", 250, "--batch", 100, "--output", file)

    sizes = []
    for request in files.read(file):
        parsed = ExportTraceServiceRequest.FromString(request.data)
        sizes.append(sum(len(s.spans) for r in parsed.resource_spans for s in r.scope_spans))
    assert sizes == [100, 100, 50]
