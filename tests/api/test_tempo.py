"""Tempo's API, asked as Grafana's data source asks it."""

from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[attr-defined] # a varint, read by somebody else
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from millrace.api.tempo.spansets import Span, select
from millrace.api.tempo.traceql import parse
from millrace.api.tempo.traceql_sql import span_sets_of
from tests.api.shop import BEGIN, DECLINED, MS, SOLD

PROTOBUF = {"Accept": "application/protobuf"}


@pytest.fixture(params=["", "/tempo"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def search(client: httpx.Client, query: str, **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    answer = client.get("/api/search", params={"q": query, "limit": 20, "spss": 10, **parameters})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["traces"]
    return found


def test_the_health_check_is_an_echo(client: httpx.Client, prefix: str) -> None:
    assert client.get(f"{prefix}/api/echo").text == "echo"


def count_spans(trace: TracesData) -> int:
    return sum(len(scope.spans) for resource in trace.resource_spans for scope in resource.scope_spans)


def test_a_trace_is_protobuf_where_it_is_asked_for(client: httpx.Client, prefix: str) -> None:
    answer = client.get(f"{prefix}/api/traces/{SOLD}", headers=PROTOBUF)
    assert answer.headers["content-type"] == "application/protobuf"
    assert count_spans(TracesData.FromString(answer.content)) == 4


def test_version_2_wraps_the_trace(client: httpx.Client, prefix: str) -> None:
    content = client.get(f"{prefix}/api/v2/traces/{SOLD}", headers=PROTOBUF).content
    assert content[0] == 0x0A  # field 1, with a length
    size, begin = _DecodeVarint(content, 1)
    assert len(content) == begin + size
    assert count_spans(TracesData.FromString(content[begin:])) == 4


def test_json_is_that_of_protobufs_mapping(client: httpx.Client) -> None:
    found = client.get(f"/api/v2/traces/{DECLINED}").json()["trace"]
    trace = json_format.ParseDict(found, TracesData())
    spans = [span for resource in trace.resource_spans for scope in resource.scope_spans for span in scope.spans]
    assert {span.trace_id.hex() for span in spans} == {DECLINED}
    assert {span.status.code for span in spans} == {0, 2}
    assert "batches" in client.get(f"/tempo/api/traces/{DECLINED}").json()


@pytest.mark.parametrize("version", ["", "/v2"])
def test_an_absent_trace_is_not_found(client: httpx.Client, version: str) -> None:
    assert client.get(f"/tempo/api{version}/traces/{'ab' * 16}", headers=PROTOBUF).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{}", [DECLINED, SOLD]),
        ('{ resource.service.name = "payments" && status = error }', [DECLINED]),
        ('{ name = "SELECT" || name =~ "POST /ch.*" }', [DECLINED, SOLD]),
        ('{ name =~ "SEL" }', []),
        ('{ name !~ "POST.*" && kind = client }', [SOLD]),
        ("{ span.rows > 2 }", [SOLD]),
        ("{ span.rows != 3 }", []),
        ("{ .rows = 3 }", [SOLD]),
        ('{ .host.name = "mill" }', [DECLINED, SOLD]),
        ("{ span.ok = true && span.ratio <= 0.5 }", [DECLINED]),
        ("{ duration > 100ms }", [SOLD]),
        ("{ traceDuration > 100ms }", [SOLD]),
        ("{ trace:duration < 100ms }", [DECLINED]),
        ('{ rootServiceName = "storefront" && rootName = "POST /orders" }', [SOLD]),
        ('{ event:name = "exception" }', [DECLINED]),
        ('{ event.exception.type = "Declined" }', [DECLINED]),
        (f'{{ link:traceID = "{DECLINED}" }}', [SOLD]),
        ('{ instrumentation:name = "shop" }', [DECLINED, SOLD]),
        ('{ span."http.route" = `/orders` }', [DECLINED, SOLD]),
        ("{ span.rows != nil }", [SOLD]),
        ("{ !(status = unset) }", [DECLINED]),
        ('{ name = "SELECT" } && { resource.service.name = "payments" }', [SOLD]),
        ("{ status = error } || { span.rows = 3 }", [DECLINED, SOLD]),
        ("{ status = error } && { span.rows = 3 }", []),
        ("{} | count() > 3", [SOLD]),
        ("{ kind = server } | avg(duration) < 50ms", [DECLINED]),
        ("{} | sum(span.rows) >= 3", [SOLD]),
        ("{ nestedSetParent < 0 }", [SOLD]),
    ],
)
def test_traceql_finds_traces(client: httpx.Client, query: str, expected: list[str]) -> None:
    assert [one["traceID"] for one in search(client, query)] == expected


def test_a_found_trace_shows_the_spans_that_matched(client: httpx.Client) -> None:
    (found,) = search(client, "{ span.rows = 3 } | select(status, resource.host.name)")
    assert found["rootTraceName"] == "POST /orders"
    assert found["startTimeUnixNano"] == str(BEGIN)
    assert found["durationMs"] == 120
    assert found["spanSets"][0]["matched"] == 1
    (span,) = found["spanSets"][0]["spans"]
    assert span["durationNanos"] == str(10 * MS)
    assert {one["key"]: one["value"] for one in span["attributes"]} == {
        "rows": {"intValue": "3"},
        "status": {"stringValue": "unset"},
        "host.name": {"stringValue": "mill"},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{ name = "POST /orders" } >> { name = "POST /charges" }', {SOLD: ["a4"]}),
        ('{ name = "POST /orders" } > { name = "POST /charges" }', {}),
        ('{ name = "POST /orders" } > {}', {SOLD: ["a2", "a3"]}),
        ('{ name = "POST /charges" } << { kind = server }', {SOLD: ["a1"], DECLINED: ["b1"]}),
        ('{ name = "POST /charges" } < {}', {SOLD: ["a3"], DECLINED: ["b1"]}),
        ('{ name = "SELECT" } ~ {}', {SOLD: ["a3"]}),
        ('{ name = "SELECT" } ~ { name = "SELECT" }', {}),
        ('{ } !< { resource.service.name = "payments" }', {SOLD: ["a4"], DECLINED: ["b2"]}),
        ("{ status = error } !< { status = error }", {DECLINED: ["b2"]}),
        ('{ name = "POST /orders" } !>> { name = "POST /charges" }', {DECLINED: ["b2"]}),
        ('{ name = "POST" } !> { name = "POST /charges" }', {DECLINED: ["b2"]}),
        ('{ name = "POST /charges" } !<< { kind = client }', {SOLD: ["a2"]}),
        ('{ name = "SELECT" } !~ { name = "POST" }', {}),
        ('{ name = "POST" } &> { name =~ "POST.*" }', {SOLD: ["a3", "a4"]}),
        ('{ name = "POST /charges" } &<< { kind = client }', {SOLD: ["a3", "a4"]}),
        ('{ name = "SELECT" } &~ { name = "POST" }', {SOLD: ["a2", "a3"]}),
        ('{ name = "POST /orders" } > { name = "POST" } > { name = "POST /charges" }', {SOLD: ["a4"]}),
        ('{ name = "POST /orders" } >> ({ name = "SELECT" } || { name = "POST /charges" })', {SOLD: ["a2", "a4"]}),
        ('{ status = error } || { name = "SELECT" } && { name = "nothing" }', {}),
        ('{ status = error } || { name = "POST" } > {}', {SOLD: ["a4"], DECLINED: ["b2"]}),
        ("({ kind = server } >> {}) | count() = 3", {SOLD: ["a2", "a3", "a4"]}),
    ],
)
def test_structure_selects_the_spans_that_tempos_documentation_names(
    client: httpx.Client, query: str, expected: dict[str, list[str]]
) -> None:
    found = {
        one["traceID"]: sorted(span["spanID"].lstrip("0") for span in one["spanSet"]["spans"])
        for one in search(client, query)
    }
    assert found == expected


def test_structure_in_a_trace_with_a_cycle_ends() -> None:
    spans = [Span(own, parent, (own == "a", own == "c"), ()) for own, parent in ("ab", "ba", "cb", "cc")]
    query = parse("{ name = `a` } >> { name = `c` }")
    places = {one: place for place, one in enumerate(span_sets_of(query.span_sets))}

    assert select(query, places, spans) == [2, 3]


def test_a_range_is_in_seconds(client: httpx.Client) -> None:
    seconds = BEGIN // 1_000_000_000
    assert [one["traceID"] for one in search(client, "{}", start=seconds, end=seconds + 1)] == [SOLD]


def test_tags_of_before_traceql_are_understood(client: httpx.Client) -> None:
    answer = client.get("/api/search", params={"tags": 'service.name=payments http.x="a b"', "minDuration": "1ms"})
    assert answer.json()["traces"] == []
    answer = client.get("/api/search", params={"tags": "service.name=payments", "maxDuration": "50ms"})
    assert [one["traceID"] for one in answer.json()["traces"]] == [DECLINED]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("{", "TraceQL: the query ends where a condition should follow"),
        ("{} + {}", "TraceQL: '+' is not supported after a span set"),
        ("{} >> 3", "TraceQL: expected '{', got '3'"),
        ("{} | by(resource.service.name) | count() > 1", "TraceQL: the stage by() is not supported"),
        ("{} | rate()", "TraceQL: the stage rate() is not supported"),
        ("{ name = }", "TraceQL: a field is compared with a value, got '}'"),
        ("{ foo = 1 }", "TraceQL: 'foo' is no field here"),
        ("{ duration = `x` }", "TraceQL: duration is compared with a duration"),
        ("{ " + "(" * 100 + " name = `x` }", "TraceQL: parentheses nest at most 32 deep"),
        ("{ name = 'x' }", "TraceQL: cannot read what follows character 8"),
    ],
)
def test_what_is_not_traceql_is_refused_in_a_sentence(client: httpx.Client, query: str, sentence: str) -> None:
    answer = client.get("/api/search", params={"q": query})
    assert answer.status_code == 400
    assert answer.text.startswith(sentence)


def test_a_pattern_that_is_none_is_an_error_and_not_a_crash(client: httpx.Client) -> None:
    assert client.get("/api/search", params={"q": '{ name =~ "(" }'}).status_code == 503


def test_tags_come_by_scope(client: httpx.Client, prefix: str) -> None:
    scopes = {one["name"]: one["tags"] for one in client.get(f"{prefix}/api/v2/search/tags").json()["scopes"]}
    assert scopes["resource"] == ["host.name", "service.name"]
    assert "rows" in scopes["span"]
    assert scopes["event"] == ["exception.type"]
    assert "duration" in scopes["intrinsic"]
    assert {"host.name", "rows"} <= set(client.get(f"{prefix}/api/search/tags").json()["tagNames"])


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("resource.service.name", [("string", "storefront"), ("string", "payments")]),
        ("resource.service%252Ename", [("string", "storefront"), ("string", "payments")]),
        (".service.name", [("string", "storefront"), ("string", "payments")]),
        ("service.name", [("string", "storefront"), ("string", "payments")]),
        ("span.rows", [("int", "3")]),
        ("status", [("keyword", "error"), ("keyword", "ok"), ("keyword", "unset")]),
        ("rootName", [("string", "POST /orders")]),
        ("span.%252Forders", []),
    ],
)
def test_values_of_a_tag_come_with_their_type(client: httpx.Client, tag: str, values: list[tuple[str, str]]) -> None:
    found = client.get(f"/api/v2/search/tag/{tag}/values").json()["tagValues"]
    assert [(one["type"], one["value"]) for one in found] == values
