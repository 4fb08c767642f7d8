"""Resources: what is detected, what wins, and what a fork changes; the stock SDK is the oracle."""

import json
import os
import time

import opentelemetry.sdk.resources as stock
import pytest

from millrace import __version__
from millrace.sdk import resources
from millrace.sdk.resources import Resource, ResourceDetector, get_aggregated_resources

IDENTITY = {"telemetry.sdk.name", "telemetry.sdk.version", "service.instance.id"}


def without_identity(resource: "resources.AnyResource") -> dict[str, object]:
    return {name: value for name, value in resource.attributes.items() if name not in IDENTITY}


@pytest.mark.parametrize(
    "text",
    [
        "a=b",
        " a = b , c=d ",
        "a=b%20c,d=%C3%A9",
        "a=b=c",
        "a,b=c,,",
        "service.name=x",
        "telemetry.sdk.language=other",
    ],
)
@pytest.mark.parametrize("service", ["", "shop"])
def test_a_created_resource_is_that_of_the_stock_sdk_but_for_the_name_of_the_sdk(
    text: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", text)
    monkeypatch.setenv("OTEL_SERVICE_NAME", service)
    ours, theirs = Resource.create({"z": 1}, "https://s"), stock.Resource.create({"z": 1}, "https://s")

    assert without_identity(ours) == without_identity(theirs)
    assert ours.schema_url == theirs.schema_url


def test_the_sdk_says_that_it_is_millrace_in_its_version() -> None:
    attributes = Resource.create().attributes

    assert attributes["telemetry.sdk.name"] == "millrace"
    assert attributes["telemetry.sdk.version"] == __version__


def test_the_name_of_the_sdk_can_be_made_that_of_the_stock_sdk_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    name, version = (stock.Resource.create().attributes[f"telemetry.sdk.{part}"] for part in ("name", "version"))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"telemetry.sdk.name={name},telemetry.sdk.version={version}")
    attributes = Resource.create().attributes

    assert (attributes["telemetry.sdk.name"], attributes["telemetry.sdk.version"]) == (name, version)


def test_a_resource_equals_one_of_the_stock_sdk_with_the_same_content() -> None:
    ours = Resource({"a": 1, "b": ["x"], "c": b"\x01"}, "https://s")
    theirs = stock.Resource({"a": 1, "b": ["x"], "c": b"\x01"}, "https://s")

    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert json.loads(ours.to_json()) == json.loads(theirs.to_json())
    assert ours != stock.Resource({"a": 1}, "https://s")
    assert ours != object()


def test_a_resource_of_the_stock_sdk_can_be_merged() -> None:
    assert Resource({"a": 1, "b": 1}).merge(stock.Resource({"b": 2}, "s")) == Resource({"a": 1, "b": 2}, "s")


def test_a_resource_cannot_be_changed() -> None:
    resource = Resource({"a": 1})

    with pytest.raises(TypeError):
        resource.attributes["a"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        resource.schema_url = "x"  # type: ignore[misc]


@pytest.mark.parametrize("names", ["os", "process", "host", "os,process,host", "*", "host,otel,process"])
def test_the_named_detectors_find_what_those_of_the_stock_sdk_find(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", names)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=mine")

    assert without_identity(Resource.create()) == without_identity(stock.Resource.create())


def test_a_detector_that_is_not_installed_is_said_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "nonsense,os")

    assert "os.type" in Resource.create().attributes
    assert "'nonsense'" in caplog.text


def test_nobody_waits_for_a_detector_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(ResourceDetector):
        def detect(self) -> Resource:
            time.sleep(30)
            return Resource({"late": True})

    before = time.monotonic()
    found = get_aggregated_resources([Hanging(), resources.OsResourceDetector()], Resource({}), timeout=0.05)

    assert time.monotonic() - before < 10
    assert set(found.attributes) == {"os.type", "os.version"}
    assert "took longer than 0.05 seconds" in caplog.text


def in_a_child(look: "object") -> object:
    """Fork, return what `look` returns in the child."""
    assert callable(look)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps(look()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(text)


def test_a_forked_child_has_another_instance_id_and_pid_and_keeps_what_users_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process")
    detected = Resource.create({"mine": 1})
    set_by_user = Resource.create({"service.instance.id": "pod-1"})

    def look() -> list[dict[str, object]]:
        resources.detect_after_fork()
        found = [resources.for_this_process(resource) for resource in (detected, set_by_user)]
        return [{**dict(resource.attributes), "is_mine": resource.attributes["process.pid"] == os.getpid()}
                for resource in found]  # fmt: skip

    child = in_a_child(look)
    assert isinstance(child, list)
    assert [seen["is_mine"] for seen in child] == [True, True]
    assert child[0]["service.instance.id"] != detected.attributes["service.instance.id"]
    assert child[0]["mine"] == 1
    assert child[1]["service.instance.id"] == "pod-1"


def test_a_child_of_a_child_has_its_own_instance_id() -> None:
    resource = Resource.create()

    def in_child() -> list[object]:
        resources.detect_after_fork()
        mine = resources.for_this_process(resource)

        def in_grandchild() -> object:
            resources.detect_after_fork()
            return resources.for_this_process(mine).attributes["service.instance.id"]

        return [mine.attributes["service.instance.id"], in_a_child(in_grandchild)]

    ids = [resource.attributes["service.instance.id"], *in_a_child(in_child)]  # type: ignore[misc]
    assert len(set(ids)) == 3
