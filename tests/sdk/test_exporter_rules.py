"""The rules X1 to X16 for what a program records itself: a stand-in for the destination breaks each of them in turn."""

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import psutil
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from millrace.sdk.trace import TracerProvider
from tests.conformance.gateways import wait_until
from tests.conformance.sink import Sink
from tests.sdk.engines import RETRY_SOON, Scope, books, exporter, recorded, running
from tests.sdk.standin import GrpcAnswer, HttpAnswer, grpc_standin, http_standin
from tests.sdk.test_engine_faults import hangs

NEVER = {"schedule_delay_ms": 3_600_000}
"""Only a flush sends."""
RETRIED = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def is_retried(code: str, retry_s: int | None) -> bool:
    """Send one span to a destination that answers so, once; tell whether it was sent again, when it was told to."""
    with grpc_standin(GrpcAnswer(grpc.StatusCode[code], retry_s)) as standin:
        to = exporter(standin.url, "grpc", retry_on_failure=RETRY_SOON)
        with running(traces=recorded(to, **NEVER)) as engine:
            Scope(engine).record("a")
            delivered = engine.force_flush(20)
            assert books(engine)["exported"] == int(delivered)
            assert sum(books(engine)["dropped"].values()) == 1 - int(delivered)
        assert standin.requests == [["a"]] * (1 + delivered)
        assert not delivered or standin.times[1] - standin.times[0] >= (retry_s or 0)
        return delivered


def test_x1_x3_each_code_of_grpc_with_and_without_retry_info_is_retried_as_the_table_says() -> None:
    cases = [(code, retry_s) for code in CODES for retry_s in (None, 0, 2)]
    with ThreadPoolExecutor(len(cases)) as pool:
        retried = dict(zip(cases, pool.map(is_retried, *zip(*cases, strict=True)), strict=True))

    assert {case for case in cases if retried[case]} == {
        (code, retry_s)
        for code, retry_s in cases
        if code in RETRIED or (code == "RESOURCE_EXHAUSTED" and retry_s is not None)
    }


def test_x2_each_code_of_http_from_300_to_599_is_final_or_retried_as_the_table_says() -> None:
    with http_standin() as standin:
        to = exporter(standin.url, retry_on_failure={"initial_interval": "1ms", "max_interval": "1ms"})
        with running(traces=recorded(to, **NEVER)) as engine:
            scope = Scope(engine)
            retried = set()
            for code in range(300, 600):
                standin.answers.append(HttpAnswer(code, (("Location", f"{standin.url}/elsewhere"),)))
                before = len(standin.bodies)
                scope.record(str(code))
                if engine.force_flush(20):
                    retried.add(code)
                assert standin.requests[before:] == [[str(code)]] * (1 + (code in retried))
            assert books(engine)["exported"] == len(retried)

    assert retried == {429, 502, 503, 504}


def test_x3_x9_while_a_destination_has_asked_for_a_wait_nothing_is_sent_to_it() -> None:
    with http_standin(HttpAnswer(429, (("Retry-After", "1"),))) as standin:
        to = exporter(standin.url, retry_on_failure={"initial_interval": "1ms", "max_interval": "5s"})
        with running(traces=recorded(to, schedule_delay_ms=1)) as engine:
            scope = Scope(engine)
            scope.record("a")
            wait_until(lambda: len(standin.times) == 1, "the destination was asked")
            scope.record("b")
            assert engine.force_flush(20)
            assert books(engine)["exported"] == 2

    assert standin.times[1] - standin.times[0] >= 1
    assert sorted(name for request in standin.requests[1:] for name in request) == ["a", "b"]


def test_x5_a_warning_without_rejected_items_is_a_success() -> None:
    body = b"\x0a\x0b\x12\x09be gentle"  # partial_success { error_message }
    with http_standin(HttpAnswer(body=body)) as standin, running(traces=recorded(exporter(standin.url))) as engine:
        Scope(engine).record("a")
        assert engine.force_flush(10)
        assert books(engine) == {"recorded": 1, "exported": 1, "dropped": {}, "queued": 0}


def test_x7_no_request_is_larger_than_the_limit_and_only_an_item_that_is_so_alone_is_dropped() -> None:
    with http_standin() as standin:
        to = exporter(standin.url) | {"max_request_bytes": 4_096}
        with running(traces=recorded(to, **NEVER)) as engine:
            scope = Scope(engine)
            small = [f"{number}" + "x" * 500 for number in range(40)]
            scope.record(*small, "y" * 5_000)
            assert not engine.force_flush(10)
            assert (books(engine)["exported"], sum(books(engine)["dropped"].values())) == (40, 1)

    assert max(map(len, standin.bodies)) <= 4_096
    assert sorted(name for request in standin.requests for name in request) == sorted(small)


def test_x8_an_answer_that_unpacks_to_more_than_the_limit_is_given_up_in_little_memory() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    headers = (("Content-Type", "application/x-protobuf"), ("Content-Encoding", "gzip"))
    with http_standin(HttpAnswer(200, headers, bomb)) as standin:
        with running(traces=recorded(exporter(standin.url))) as engine:
            before = psutil.Process().memory_info().rss
            Scope(engine).record("a")
            assert not engine.force_flush(10)
            assert psutil.Process().memory_info().rss - before < 16 << 20
            assert sum(books(engine)["dropped"].values()) == 1
        assert standin.requests == [["a"]]


def test_x11_a_shutdown_waits_for_the_answer_unless_it_is_told_not_to(sink: Sink) -> None:
    sink.gate.clear()
    with running(traces=recorded(exporter(sink.http_url), **NEVER)) as engine:
        Scope(engine).record("a")
        answers: list[bool] = []
        closing = threading.Thread(target=lambda: answers.append(engine.shutdown(20)))
        closing.start()
        wait_until(lambda: len(sink.arrivals) == 1, "the request has arrived")
        closing.join(0.05)
        assert answers == []
        sink.gate.set()
        closing.join()
    assert answers == [True]

    sink.gate.clear()
    with running(traces=recorded(exporter(sink.http_url), **NEVER)) as engine:
        Scope(engine).record("b")
        began = time.monotonic()
        assert not engine.shutdown(0)
        assert time.monotonic() - began < 1
        wait_until(lambda: books(engine)["dropped"] == {"shutdown": 1}, "what was left is counted")


def test_x13_a_signal_whose_destination_hangs_does_not_hold_up_another_one(sink: Sink) -> None:
    with hangs() as url:
        signals = {"traces": recorded(exporter(url)), "logs": recorded(exporter(sink.http_url))}
        with running(**signals) as engine:
            Scope(engine).record("a")
            Scope(engine, "logs").record("b")
            wait_until(lambda: books(engine, "logs")["exported"] == 1, "the log record has been taken")
            assert books(engine)["queued"] == 1
    assert sink.names("logs") == ["b"]


def test_x13_a_second_exporter_of_spans_has_them_while_the_first_hangs() -> None:
    second = InMemorySpanExporter()
    with hangs() as url, running(traces=recorded(exporter(url))) as engine:
        provider = TracerProvider(shutdown_on_exit=False, _buffer=engine.buffer("traces"))
        provider.add_span_processor(SimpleSpanProcessor(second))  # type: ignore[arg-type] # upstream's class serves as well
        provider.get_tracer("tests").start_span("a").end()
        sent = encode_spans(second.get_finished_spans())
        assert isinstance(sent, ExportTraceServiceRequest)
        assert [span.name for span in sent.resource_spans[0].scope_spans[0].spans] == ["a"]


def test_x14_a_request_has_no_envelope_without_items(sink: Sink) -> None:
    with running(traces=recorded(exporter(sink.http_url), **NEVER)) as engine:
        used, _ = Scope(engine, name="used"), Scope(engine, name="unused")
        used.record("a")
        assert engine.force_flush(10)
        assert engine.force_flush(10)
    (message,) = sink.messages("traces")
    assert [scope.scope.name for envelope in message.resource_spans for scope in envelope.scope_spans] == ["used"]
