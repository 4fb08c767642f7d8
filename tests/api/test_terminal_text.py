"""What telemetry says must not steer the terminal that shows it (S14)."""

import io
from typing import Any

import pytest

from millrace.cli.lines import log_line, trace_line
from millrace.cli.terminal import Terminal
from millrace.cli.waterfall import waterfall

HOSTILE = "a\x1b[2Jb\r\nc\x00d\u202ee"
PLAIN = Terminal("never", io.StringIO())


def trace(parents: list[int]) -> dict[str, Any]:
    """A trace of which every name is hostile."""
    spans = range(len(parents))
    zeros = [0 for _ in spans]
    return {
        "trace_id": "ab" * 16,
        "start_time_unix_nano": str(2**64 - 1),
        "duration_ns": 2**64 - 1,
        "services": [HOSTILE],
        "names": [HOSTILE],
        "kinds": ["SERVER"],
        "spans": {
            "span_id": [f"{at:016x}" for at in spans],
            "parent": parents,
            "service": zeros,
            "name": zeros,
            "kind": zeros,
            "start_ns": [at * 10 for at in spans],
            "duration_ns": [2**64 - 1 for _ in spans],
            "status": [2 for _ in spans],
            "events": zeros,
            "links": zeros,
        },
        "problems": [HOSTILE],
    }


def test_s14_a_waterfall_prints_control_characters_as_text() -> None:
    lines = list(waterfall(trace([-1, 0]), PLAIN, 100, 10))
    assert len(lines) == 7
    assert all(line.isprintable() for line in lines)
    assert r"\x1b[2J" in lines[0]


def test_s14_lines_of_traces_and_logs_print_control_characters_as_text() -> None:
    found = {"trace_id": HOSTILE, "service": HOSTILE, "name": HOSTILE, "start_time_unix_nano": "1", "duration_ns": 1}
    record = {
        "time_unix_nano": "1",
        "severity_number": 17,
        "severity_text": HOSTILE,
        "service": HOSTILE,
        "body": {HOSTILE: [HOSTILE]},
        "event_name": "",
        "attributes": [{"key": HOSTILE, "type": "string", "value": HOSTILE}],
    }
    assert trace_line({**found, "spans": 1, "errors": 1}, PLAIN).isprintable()
    assert log_line(record, PLAIN).isprintable()


@pytest.mark.parametrize("parents", [[0], [1, 0], [2, 0, 1], [-1, 2, 1]])
def test_spans_in_a_cycle_are_shown_once_each(parents: list[int]) -> None:
    lines = list(waterfall(trace(parents), PLAIN, 100, 10))
    assert len([line for line in lines if "✗" in line]) == len(parents)


def test_a_chain_of_ten_thousand_spans_is_drawn() -> None:
    lines = list(waterfall(trace(list(range(-1, 9_999))), PLAIN, 100, 10_000))
    assert len(lines) == 10_005
    assert max(map(len, lines)) < 300
