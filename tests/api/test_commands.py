"""The commands that look into a store, asked of a running server as a user asks them."""

import json
from pathlib import Path

import httpx
import pytest

from tests.api.shop import BEGIN, DECLINED, MS, NASTY, SOLD
from tests.python.commands import Result, millrace


@pytest.fixture(scope="module")
def server(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def ask(server: str, *arguments: object) -> Result:
    return millrace(*arguments, "--server", server)


def test_a_trace_is_drawn_as_a_waterfall(server: str) -> None:
    done = ask(server, "trace", "get", SOLD)
    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[0] == "POST /orders  120 ms · 4 spans · 2 services · no errors"
    assert lines[1] == f"{SOLD} · 2023-11-14 22:13:20.000Z"
    assert [line.split("━")[0].rstrip(" ╸╺") for line in lines[4:]] == [
        "storefront POST /orders",
        "           ├─ SELECT",
        "           ╰─ POST",
        "payments      ╰─ POST /charges",
    ]
    assert lines[5].endswith("10.0 ms")


def test_the_bars_lie_where_the_spans_were(server: str) -> None:
    lines = ask(server, "trace", "get", SOLD).out.splitlines()
    root, child = (next(line for line in lines if name in line) for name in ("storefront POST", "payments"))
    begin, width = root.index("━"), root.count("━")
    assert child.index("━") - begin == pytest.approx(width * 30 / 120, abs=1)
    assert child.count("━") == pytest.approx(width * 70 / 120, abs=1)


def test_s14_a_failed_span_is_marked_and_markup_is_text(server: str) -> None:
    done = ask(server, "trace", "get", DECLINED)
    assert NASTY in done.out
    assert "✗" in done.out
    assert "! 1 span whose parent is not here: 00000000000000ff" in done.out


def test_a_trace_comes_as_otlp_json(server: str) -> None:
    assert "resourceSpans" in json.loads(ask(server, "trace", "get", SOLD, "--json").out)


def test_a_trace_that_is_not_there_is_said_so(server: str) -> None:
    done = ask(server, "trace", "get", "ab" * 16)
    assert (done.code, done.out, done.err) == (1, "", f"error: no span of trace {'ab' * 16} is kept here\n")


def test_traces_are_found_by_conditions(server: str) -> None:
    done = ask(server, "trace", "search", "--status", "error", "--min-duration", "30ms", "--json")
    assert [json.loads(line)["trace_id"] for line in done.out.splitlines()] == [DECLINED]
    assert f"POST /orders  {SOLD}  4 spans" in ask(server, "trace", "search", "--order", "slowest", "-n", "1").out


def test_a_search_that_finds_nothing_fails(server: str) -> None:
    done = ask(server, "trace", "search", "--service", "nobody")
    assert (done.code, done.out, done.err) == (1, "", "no trace fulfils this\n")


def test_logs_come_in_order_of_time(server: str) -> None:
    done = ask(server, "logs", "--attribute", "amount=50")
    assert [line.split("  ")[3] for line in done.out.splitlines()] == ["charged 51", "charged 50"]
    done = ask(server, "logs", "--severity", "error", "--json")
    assert [json.loads(line)["body"] for line in done.out.splitlines()] == ["declined 60030"]


def test_the_tail_is_what_came_last(server: str) -> None:
    done = ask(server, "tail", "-n", "1")
    assert DECLINED in done.out
    assert len(done.out.splitlines()) == 1


def test_a_comparison_fails_where_something_is_gone_or_fails_more_often(server: str) -> None:
    done = ask(server, "compare", SOLD, DECLINED)
    assert done.code == 1
    states = {line.split()[0] for line in done.out.splitlines()[1:]}
    assert states == {"faster", "gone", "new"}
    assert ask(server, "compare", SOLD, SOLD).code == 0
    middle = BEGIN + 1_000 * MS
    assert ask(server, "compare", f"..{middle}", "2023-11-14T22:13:21Z..").out == done.out


def test_a_server_that_is_not_there_has_an_exit_code_of_its_own() -> None:
    done = millrace("trace", "search", "--server", "http://127.0.0.1:1")
    assert done.code == 3
    assert done.err.startswith("error: no server answers at http://127.0.0.1:1")


def test_a_folder_without_a_store_is_named() -> None:
    done = millrace("logs", "--data", "/nowhere/at/all")
    assert done.code == 1
    assert "there is no store in /nowhere/at/all" in done.err


def test_a_trace_that_is_not_there_is_no_trace_that_does_not_differ(server: str) -> None:
    done = ask(server, "compare", SOLD, "ab" * 16)
    assert (done.code, done.out, done.err) == (1, "", f"error: no span of trace {'ab' * 16} is kept here\n")
    done = ask(server, "compare", "..2001-01-01T00:00:00Z", SOLD)
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: no span began in ..2001-01-01T00:00:00Z: there is nothing to compare\n"


def test_a_file_is_told_from_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for command in (("serve",), ("logs",), ("query", "SELECT 1"), ("export", tmp_path / "all.jsonl")):
        done = millrace(*command, "--data", file)
        assert (done.code, done.err) == (1, f"error: {file} is a file: --data names the folder of a store\n")


@pytest.mark.parametrize("given", ["", "abc", "a/b", "xyz"])
def test_what_is_no_trace_id_is_said_before_anybody_is_asked(given: str) -> None:
    done = millrace("trace", "get", given)
    assert done.code == 2
    assert f"expected a trace id, which is 32 hexadecimal digits, got {given!r}" in done.err
