"""gevent and eventlet, monkey-patched: each greenlet has its own current span, and delivery waits for none of them."""

import sys

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import run_program
from tests.sdk.provenance import NAMED, assert_nothing_arrived_twice, spans_of
from tests.sdk.test_engine_faults import hangs

GREENLETS = 50
PATCHED = {
    "gevent": "from gevent import monkey, sleep, spawn\nmonkey.patch_all()",
    "eventlet": "from eventlet import monkey_patch, sleep, spawn\nmonkey_patch()",
}
SETUP = """
import millrace, os, time
from opentelemetry import trace
telemetry = millrace.configure(metrics=False, logs=False)
"""
GREENLET = f"""
tracer = trace.get_tracer("tests")
def work(number):
    with tracer.start_as_current_span(f"outer {{number}}") as outer:
        sleep(0)
        with tracer.start_as_current_span(f"inner {{number}}") as inner:
            sleep(0.001)
            assert trace.get_current_span() is inner
            assert inner.parent.span_id == outer.get_span_context().span_id
        sleep(0)
        assert trace.get_current_span() is outer
    return number
done = []
for number in range({GREENLETS}): spawn(lambda n=number: done.append(work(n)))
while len(done) < {GREENLETS}: sleep(0.001)
assert sorted(done) == list(range({GREENLETS})), done
"""
ORDERS = {"patched first": "{patch}\n{setup}", "configured first": "{setup}\n{patch}"}


@pytest.mark.parametrize("library", PATCHED)
@pytest.mark.parametrize("order", ORDERS)
def test_f20_greenlets_keep_their_own_current_span_and_all_is_delivered(library: str, order: str, sink: Sink) -> None:
    source = ORDERS[order].format(patch=PATCHED[library], setup=SETUP) + GREENLET
    run = run_program(
        sys.executable, "-c", source, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, OTEL_BSP_SCHEDULE_DELAY="600000",
        PYTHONWARNINGS="ignore", **NAMED,
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (0, "")
    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    assert sorted(span.name for span in spans) == sorted(
        f"{name} {number}" for number in range(GREENLETS) for name in ("inner", "outer")
    )


@pytest.mark.parametrize("library", PATCHED)
def test_f20_a_child_that_is_forked_between_greenlets_delivers_its_own(library: str, sink: Sink) -> None:
    fork = """
pid = os.fork()
tracer.start_span("child" if pid == 0 else "parent").end()
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""
    source = ORDERS["patched first"].format(patch=PATCHED[library], setup=SETUP) + GREENLET + fork
    run = run_program(
        sys.executable, "-c", source, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, OTEL_BSP_SCHEDULE_DELAY="600000",
        PYTHONWARNINGS="ignore", **NAMED,
    )  # fmt: skip

    assert (run.returncode, run.stderr) == (0, "")
    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    assert len(spans) == 2 * GREENLETS + 2
    (child,) = [span for span in spans if span.name == "child"]
    assert {span.name for span in spans if span.process == child.process} == {"child"}


@pytest.mark.parametrize("library", PATCHED)
def test_f20_a_flush_of_a_patched_program_ends_at_its_deadline_while_the_endpoint_hangs(library: str) -> None:
    flush = """
began = time.monotonic()
assert telemetry.force_flush(0.2) is False
print(time.monotonic() - began)
"""
    source = ORDERS["patched first"].format(patch=PATCHED[library], setup=SETUP) + GREENLET + flush
    with hangs() as url:
        run = run_program(
            sys.executable, "-c", source, OTEL_EXPORTER_OTLP_ENDPOINT=url, MILLRACE_EXIT_TIMEOUT="0",
            PYTHONWARNINGS="ignore",
        )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert 0.2 <= float(run.stdout) < 0.7
