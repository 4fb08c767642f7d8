"""The viewer's API over a small shop: every answer has the documented shape, and says what was sent."""

import json
import re
from typing import Any

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate as validate_openapi

from tests.api import shop
from tests.api.shop import BEGIN, DECLINED, MS, NASTY, SOLD

DOCUMENT = "/api/v1/openapi.json"


@pytest.fixture(scope="session")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(DOCUMENT).json()
    return found


def get(client: httpx.Client, path: str, **parameters: Any) -> Any:  # noqa: ANN401
    answer = client.get(f"/api/v1{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(client: httpx.Client, path: str, **parameters: Any) -> list[Any]:  # noqa: ANN401
    found: list[Any] = get(client, path, **parameters)["items"]
    return found


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    validate_openapi(document)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/status", ""),
        ("/services", ""),
        ("/operations", "service=payments"),
        ("/map", ""),
        ("/attributes", "signal=logs"),
        ("/attributes/values", "key=http.route"),
        ("/traces", ""),
        ("/traces/{trace_id}", ""),
        ("/traces/{trace_id}/spans/{span_id}", ""),
        ("/logs", ""),
        ("/metrics", ""),
        ("/metrics/query", "name=orders&group_by=route"),
        ("/metrics/query", "name=latency&aggregation=heatmap"),
        ("/metrics/query", "name=latency&aggregation=p90"),
        ("/compare", f"a={SOLD}&b={DECLINED}"),
    ],
)
def test_an_answer_has_the_documented_shape(
    client: httpx.Client, document: dict[str, Any], path: str, query: str
) -> None:
    described = document["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    address = path.format(trace_id=DECLINED, span_id="00000000000000b2")
    answer = client.get(f"/api/v1{address}?{query}").json()
    jsonschema.validate(answer, described)
    assert answer not in ({}, {"items": [], "next": None})


def test_services_are_counted_with_their_errors(client: httpx.Client) -> None:
    found = {one["name"]: (one["spans"], one["errors"], one["operations"]) for one in items(client, "/services")}
    assert found == {"storefront": (4, 0, 4), "payments": (2, 1, 1)}


def test_the_map_has_an_edge_where_a_span_has_a_parent_of_another_service(client: httpx.Client) -> None:
    edges = get(client, "/map")["edges"]
    assert [(one["from"], one["to"], one["calls"], one["errors"]) for one in edges] == [
        ("storefront", "payments", 2, 1)
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [DECLINED, SOLD]),
        ({"order": "slowest"}, [SOLD, DECLINED]),
        ({"service": "payments", "status": "error"}, [DECLINED]),
        ({"operation": "SELECT"}, [SOLD]),
        ({"operation": "SELECT", "service": "payments"}, []),
        ({"min_duration_ns": 100 * MS}, [SOLD]),
        ({"min_duration_ns": 60 * MS, "max_duration_ns": 80 * MS}, [SOLD]),
        ({"attribute": "rows=3"}, [SOLD]),
        ({"attribute": "host.name=mill"}, [DECLINED, SOLD]),
        ({"attribute": ["http.route=/orders", "ratio=0.5"]}, [DECLINED]),
        ({"q": "OVER THE limit"}, [DECLINED]),
        ({"end": BEGIN + 1_000 * MS}, [SOLD]),
        ({"start": BEGIN + 1_000 * MS}, [DECLINED]),
    ],
)
def test_a_search_finds_traces_with_a_span_that_fulfils_every_condition(
    client: httpx.Client, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert [one["trace_id"] for one in items(client, "/traces", **parameters)] == expected


def test_a_summary_is_of_the_whole_trace(client: httpx.Client) -> None:
    (found,) = items(client, "/traces", operation="SELECT")
    assert found == {
        "trace_id": SOLD,
        "service": "storefront",
        "name": "POST /orders",
        "start_time_unix_nano": str(BEGIN),
        "duration_ns": 120 * MS,
        "spans": 4,
        "errors": 0,
        "services": [
            {"name": "storefront", "spans": 3, "errors": 0},
            {"name": "payments", "spans": 1, "errors": 0},
        ],
    }


@pytest.mark.parametrize("path", ["/traces", "/logs", "/services", "/operations", "/attributes", "/metrics"])
def test_pages_add_up_to_the_whole_list(client: httpx.Client, path: str) -> None:
    whole = items(client, path)
    parts, cursor = [], None
    for _ in range(len(whole) + 1):
        page = get(client, path, limit=1, **({"cursor": cursor} if cursor else {}))
        parts += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert parts == whole


def test_a_trace_comes_as_columns_sorted_by_start(client: httpx.Client) -> None:
    found = get(client, f"/traces/{SOLD}")
    spans = found["spans"]
    assert spans["parent"] == [-1, 0, 0, 2]
    assert [found["names"][at] for at in spans["name"]] == ["POST /orders", "SELECT", "POST", "POST /charges"]
    assert [found["services"][at] for at in spans["service"]] == ["storefront"] * 3 + ["payments"]
    assert spans["start_ns"] == [0, 5 * MS, 20 * MS, 30 * MS]
    assert spans["links"] == [0, 0, 1, 0]
    assert found["problems"] == []


def test_a_trace_says_what_is_wrong_with_it(client: httpx.Client) -> None:
    assert get(client, f"/traces/{DECLINED}")["problems"] == ["1 span whose parent is not here: 00000000000000ff"]


def test_a_span_has_its_attributes_with_their_types(client: httpx.Client) -> None:
    found = get(client, f"/traces/{DECLINED}/spans/00000000000000b1")
    assert found["name"] == NASTY
    assert found["attributes"] == [
        {"key": "http.route", "type": "string", "value": "/orders"},
        {"key": "big", "type": "int", "value": str(2**53 + 1)},
        {"key": "ratio", "type": "double", "value": 0.5},
        {"key": "ok", "type": "bool", "value": True},
        {"key": "many", "type": "array", "value": ["a", "b"]},
    ]
    assert {"key": "service.name", "type": "string", "value": "storefront"} in found["resource"]


def test_a_span_has_its_events_and_status(client: httpx.Client) -> None:
    found = get(client, f"/traces/{DECLINED}/spans/00000000000000B2")
    assert found["status"] == {"code": "ERROR", "message": "over the limit"}
    (event,) = found["events"]
    assert event["attributes"] == [{"key": "exception.type", "type": "string", "value": "Declined"}]


def test_a_trace_can_be_taken_away_as_otlp(client: httpx.Client) -> None:
    answer = client.get(f"/api/v1/traces/{SOLD}/otlp")
    assert answer.headers["content-disposition"] == f'attachment; filename="trace-{SOLD}.json"'
    found = [one for resource in answer.json()["resourceSpans"] for one in resource["scopeSpans"][0]["spans"]]
    assert {one["spanId"] for one in found} == {f"00000000000000a{at}" for at in (1, 2, 3, 4)}


@pytest.mark.parametrize(
    ("parameters", "bodies"),
    [
        ({}, ["declined 60030", "charged 50", "charged 51"]),
        ({"order": "oldest"}, ["charged 50", "charged 51", "declined 60030"]),
        ({"severity_min": 13}, ["declined 60030"]),
        ({"q": "CHARGED 51"}, ["charged 51"]),
        ({"trace_id": SOLD, "limit": 1}, ["charged 50"]),
        ({"attribute": "amount=60030"}, ["declined 60030"]),
        ({"service": "storefront"}, []),
        ({"start": BEGIN + 1_000 * MS}, ["declined 60030"]),
    ],
)
def test_logs_are_found_in_order_of_time(client: httpx.Client, parameters: dict[str, Any], bodies: list[str]) -> None:
    assert [one["body"] for one in items(client, "/logs", **parameters)] == bodies


def test_a_rate_is_the_growth_of_a_counter_per_second(client: httpx.Client) -> None:
    found = get(client, "/metrics/query", name="orders", aggregation="rate", group_by="route", step_ns=10_000 * MS)
    rates = {one["labels"]["route"]: one["values"] for one in found["series"]}
    assert rates == {"/orders": [10.0, 10.0, 10.0], "/products": [20.0, 20.0, 20.0]}


def test_series_are_added_by_their_last_value(client: httpx.Client) -> None:
    found = get(client, "/metrics/query", name="orders", aggregation="sum", step_ns=20_000 * MS)
    assert [one["values"] for one in found["series"]] == [[300.0, 900.0]]


def test_a_heatmap_counts_what_was_added_since_the_point_before(client: httpx.Client) -> None:
    found = get(client, "/metrics/query", name="latency", aggregation="heatmap", step_ns=10_000 * MS)
    assert found["heatmap"] == {"bounds": [10.0, 100.0], "counts": [[2, 0], [2, 2], [0, 2]]}


def test_a_quantile_is_interpolated_in_its_bucket(client: httpx.Client) -> None:
    found = get(client, "/metrics/query", name="latency", aggregation="p50", step_ns=10_000 * MS)
    assert found["series"][0]["values"] == [10.0, 100.0]


def test_an_exemplar_leads_to_its_trace(client: httpx.Client) -> None:
    (found,) = get(client, "/metrics/query", name="latency")["exemplars"]
    assert (found["trace_id"], found["span_id"], found["value"]) == (SOLD, "00000000000000a1", 120.0)


def test_a_comparison_names_what_is_new_gone_and_faster(client: httpx.Client) -> None:
    states = {one["name"]: one["state"] for one in items(client, "/compare", a=SOLD, b=DECLINED)}
    assert states == {
        "POST /charges": "faster",
        "POST /orders": "gone",
        "SELECT": "gone",
        "POST": "gone",
        NASTY: "new",
    }


def test_two_runs_are_compared_by_their_time(client: httpx.Client) -> None:
    middle, end = BEGIN + 1_000 * MS, BEGIN + 100_000 * MS
    runs = {"a_start": BEGIN, "a_end": middle, "b_start": middle, "b_end": end}
    assert items(client, "/compare", **runs) == items(client, "/compare", a=SOLD, b=DECLINED)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/traces?limit=0", "limit must be a whole number from 1 to 1000, got '0'"),
        ("/traces?limit=1001", "limit must be a whole number from 1 to 1000, got '1001'"),
        ("/traces?limit=1&limit=2", "limit may be given 1 times, got 2"),
        ("/traces?start=-1", "start must be a whole number"),
        ("/traces?attribute=x", "attribute must be key=value"),
        ("/traces?cursor=x", "cursor is not the `next` of an answer"),
        ("/traces?status=bad", "status must be one of error, ok, unset, got 'bad'"),
        ("/traces?nix=1", "unknown parameter 'nix'"),
        ("/traces?q=%00", "q must have at most 4096 characters, and no NUL among them"),
        ("/traces/xyz", "trace_id must be an even number of hexadecimal digits"),
        ("/attributes/values", "the parameter key is missing"),
        ("/metrics/query?name=orders&step_ns=1000000", "step_ns must be at least"),
        ("/traces/abc", "trace_id must be an even number of hexadecimal digits"),
        (f"/traces/{SOLD}/spans/abc", "span_id must be an even number of hexadecimal digits"),
        ("/compare?a=ab", "what is b?"),
        ("/compare?a=abc&b=ab", "a must be an even number of hexadecimal digits"),
    ],
)
def test_a_wrong_parameter_is_named_in_a_sentence(client: httpx.Client, path: str, sentence: str) -> None:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)


def test_the_document_says_of_what_form_a_parameter_is(client: httpx.Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    forms = {
        (path, one["name"]): one["schema"].get("items", one["schema"])["pattern"]
        for path, operations in paths.items()
        for one in operations.get("get", {}).get("parameters", ())
        if one["name"] in {"cursor", "attribute", "trace_id", "a"} and "pattern" in json.dumps(one["schema"])
    }
    for path in ("/traces", "/logs", "/attributes", "/metrics", "/operations"):
        following = client.get(f"/api/v1{path}", params={"limit": 1}).json()["next"]
        assert following is None or re.search(forms[f"/api/v1{path}", "cursor"], following)
        assert not re.search(forms[f"/api/v1{path}", "cursor"], "x")
    assert not re.search(forms["/api/v1/traces", "attribute"], "no equals sign")
    assert not re.search(forms["/api/v1/traces/{trace_id}", "trace_id"], f"*{SOLD}")


@pytest.mark.parametrize("path", [f"/traces/{'ab' * 16}", f"/traces/{SOLD}/spans/{'ab' * 8}"])
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


def test_quotes_in_the_name_of_an_attribute_stay_a_name(client: httpx.Client) -> None:
    assert items(client, "/traces", attribute="'] OR true --=1") == []
    assert items(client, "/attributes/values", key="x'] UNION SELECT 1 --") == []


def test_the_shop_has_the_spans_that_the_tests_count() -> None:
    assert sum(len(one["resourceSpans"][0]["scopeSpans"][0]["spans"]) for one in shop.traces()) == 6
