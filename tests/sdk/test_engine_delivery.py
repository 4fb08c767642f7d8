"""What is recorded arrives, over every protocol and coding, in the batches that were asked for."""

import threading

import pytest

from millrace import _native
from millrace.errors import GatewayError
from tests.conformance.gateways import wait_until
from tests.conformance.messages import REQUESTS, names, request
from tests.conformance.sink import Sink
from tests.sdk.engines import Protocol, Recorded, Scope, books, engine_settings, exporter, item, recorded, running

PROTOCOLS: tuple[Protocol, ...] = ("http/protobuf", "http/json", "grpc")
SIGNALS: tuple[Recorded, ...] = ("traces", "logs")
ITEMS = [f"item{number}" for number in range(1000)]


def url(sink: Sink, protocol: Protocol) -> str:
    return sink.grpc_url if protocol == "grpc" else sink.http_url


def arrived(sink: Sink, signal: Recorded, protocol: Protocol) -> list[str]:
    """Names of what arrived; the oracle reads JSON only after it has been translated back."""
    if protocol != "http/json":
        return sink.names(signal)
    bodies = [_native.from_json(arrival.signal, arrival.body) for arrival in sink.arrivals if arrival.signal == signal]
    return [name for body in bodies for name in names(signal, REQUESTS[signal].FromString(body))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_x12_every_item_arrives_once_over_every_protocol(sink: Sink, protocol: Protocol, signal: Recorded) -> None:
    with running(**{signal: recorded(exporter(url(sink, protocol), protocol))}) as engine:
        assert all(Scope(engine, signal).record(*ITEMS))
        assert engine.force_flush(10)
        assert sorted(arrived(sink, signal, protocol)) == sorted(ITEMS)
        assert books(engine, signal) == {"recorded": 1000, "exported": 1000, "dropped": {}, "queued": 0}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_x12_bodies_are_compressed_as_configured(sink: Sink, compression: str) -> None:
    with running(traces=recorded(exporter(sink.http_url, compression=compression))) as engine:
        Scope(engine).record(*ITEMS)
        assert engine.force_flush(10)
    assert {arrival.headers["content-encoding"] for arrival in sink.arrivals} == {compression}
    assert sorted(sink.names("traces")) == sorted(ITEMS)


def test_x15_the_user_agent_names_an_otlp_exporter(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url))) as engine:
        Scope(engine).record("a")
        assert engine.force_flush(10)
    assert sink.arrivals[0].headers["user-agent"].startswith("OTel-OTLP-Exporter-")


def test_an_item_leaves_after_the_schedule_delay_without_a_flush(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), schedule_delay_ms=20)) as engine:
        Scope(engine).record("a")
        wait_until(lambda: sink.names("traces") == ["a"], "the span has arrived")


def test_a_full_batch_leaves_long_before_the_schedule_delay(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), schedule_delay_ms=3_600_000)) as engine:
        Scope(engine).record(*ITEMS[:512])
        wait_until(lambda: len(sink.names("traces")) == 512, "the batch has arrived")


def test_small_requests_of_several_scopes_travel_together(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), schedule_delay_ms=3_600_000)) as engine:
        for number in range(20):
            Scope(engine, name=f"library{number}").record("a")
        assert engine.force_flush(10)
    (message,) = sink.messages("traces")
    scopes = [scope.scope.name for resource in message.resource_spans for scope in resource.scope_spans]
    assert sorted(scopes) == sorted(f"library{number}" for number in range(20))


def test_no_request_has_more_items_than_the_batch_size_that_was_set(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), max_export_batch_size=7)) as engine:
        scopes = [Scope(engine, name=name) for name in ("a", "b", "c")]
        for name in ITEMS[:100]:
            for scope in scopes:
                scope.record(name)
        assert engine.force_flush(10)
    sizes = [len(names("traces", message)) for message in sink.messages("traces")]
    assert (sum(sizes), max(sizes)) == (300, 7)


def test_the_resource_and_the_scope_say_whose_telemetry_it_is(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url))) as engine:
        buffer = engine.buffer("traces")
        assert buffer is not None
        buffer.set_resource({"service.name": "shop", "n": 1}, "https://example.org/resource")
        scope = buffer.scope("library", "1.2", "https://example.org/scope", {"key": "value"})
        assert buffer.append(scope, item("traces", "a"))
        assert engine.force_flush(10)
    (message,) = sink.messages("traces")
    (resource,) = message.resource_spans
    (scope_spans,) = resource.scope_spans
    assert {a.key: a.value.string_value or a.value.int_value for a in resource.resource.attributes} == {
        "service.name": "shop",
        "n": 1,
    }
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("library", "1.2")
    assert [(a.key, a.value.string_value) for a in scope_spans.scope.attributes] == [("key", "value")]
    assert (resource.schema_url, scope_spans.schema_url) == (
        "https://example.org/resource",
        "https://example.org/scope",
    )


def test_items_of_many_threads_arrive_once(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url))) as engine:
        scopes = [Scope(engine, name=f"scope{number}") for number in range(8)]

        def work(number: int) -> None:
            for name in ITEMS:
                scopes[number].record(f"{number}/{name}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert engine.force_flush(20)
    expected = [f"{number}/{name}" for number in range(8) for name in ITEMS]
    assert sorted(sink.names("traces")) == sorted(expected)


def metrics(sink: Sink, **settings: object) -> dict[str, object]:
    return {"exporter": exporter(sink.http_url), "interval_ms": 3_600_000, "timeout_ms": 5_000} | settings


def test_metrics_are_collected_at_their_interval(sink: Sink) -> None:
    with running(metrics=metrics(sink, interval_ms=20)) as engine:
        engine.collect_metrics(lambda _: request("metrics", 2).SerializeToString())
        wait_until(lambda: len(sink.messages("metrics")) >= 3, "three collections have arrived")
        found = books(engine, "metrics")
        assert found["exported"] >= 2 * 2


def test_metrics_are_collected_by_a_flush_and_once_more_by_the_shutdown(sink: Sink) -> None:
    patience = []

    def collect(timeout_s: float) -> bytes:
        patience.append(timeout_s)
        return bytes(request("metrics", 1, f"metric{len(patience)}-").SerializeToString())

    with running(metrics=metrics(sink)) as engine:
        engine.collect_metrics(collect)
        assert engine.force_flush(2)
        assert sink.names("metrics") == ["metric1-0"]
        assert engine.shutdown(2)
    assert sink.names("metrics") == ["metric1-0", "metric2-0"]
    assert all(0 < timeout_s <= 5 for timeout_s in patience)


def test_a_collection_that_has_nothing_sends_nothing_and_succeeds(sink: Sink) -> None:
    with running(metrics=metrics(sink)) as engine:
        engine.collect_metrics(lambda _: None)
        assert engine.force_flush(5)
    assert sink.arrivals == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_collection_that_raises_hurts_nobody_else(sink: Sink) -> None:
    def collect(_: float) -> bytes:
        raise RuntimeError("an observable callback of the application")

    with running(metrics=metrics(sink), traces=recorded(exporter(sink.http_url))) as engine:
        engine.collect_metrics(collect)
        Scope(engine).record("a")
        engine.force_flush(5)
        assert sink.names("traces") == ["a"]


def test_a_slow_collection_does_not_hold_up_spans(sink: Sink) -> None:
    release = threading.Event()

    def collect(_: float) -> None:
        release.wait(20)

    with running(metrics=metrics(sink, interval_ms=1), traces=recorded(exporter(sink.http_url))) as engine:
        engine.collect_metrics(collect)
        Scope(engine).record("a")
        wait_until(lambda: sink.names("traces") == ["a"], "the span has arrived while metrics are collected")
        release.set()


def test_settings_that_are_not_understood_are_refused_in_a_sentence() -> None:
    with pytest.raises(GatewayError, match=r"the engine's settings: .*sooner"):
        _native.Engine(engine_settings(traces={"sooner": 1}))
