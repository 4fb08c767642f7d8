"""A thousand forks of a busy parent: every child ends, each span arrives once, and as one of its own process."""

import subprocess
import sys

from tests.conformance.sink import Sink
from tests.sdk.programs import environment
from tests.sdk.provenance import NAMED, assert_nothing_arrived_twice, spans_of

FORKS = 1_000
STORM = f"""
import millrace, os, sys, threading, time
from opentelemetry import trace
telemetry = millrace.configure(metrics=False, logs=False)
tracer = trace.get_tracer("tests")
def span(name):
    with tracer.start_as_current_span(name):
        tracer.start_span(f"in {{name}}").end()
recorded, over = 0, threading.Event()
def record():
    global recorded
    while not over.wait(0.001):
        span(f"parent {{recorded}}")
        recorded += 1
busy = [threading.Thread(target=record)]
for thread in busy: thread.start()
children, ended = set(), []
for number in range({FORKS}):
    if len(children) == 8:
        pid, status = os.wait()
        children.remove(pid)
        ended.append(status)
    pid = os.fork()
    if pid == 0:
        if number % 10 == 0:  # some end as programs do, and run what is registered for the end
            span(f"child {{number}}")
            sys.exit()
        if number % 10 == 1:  # some record nothing at all
            os._exit(0)
        span(f"child {{number}}")
        os._exit(0 if telemetry.force_flush(30) else 1)
    children.add(pid)
ended += [os.waitpid(pid, 0)[1] for pid in children]
over.set()
for thread in busy: thread.join()
assert len(ended) == {FORKS} and not any(ended), ended
print(recorded)
"""


def test_f20_of_a_thousand_forks_none_hangs_and_each_span_arrives_once(sink: Sink) -> None:
    variables = environment(
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url, OTEL_BSP_SCHEDULE_DELAY="50", MILLRACE_EXIT_TIMEOUT="30000", **NAMED
    )
    run = subprocess.run(
        [sys.executable, "-c", STORM], env=variables, timeout=110, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")
    spans = spans_of(sink)
    assert_nothing_arrived_twice(spans)
    children = [number for number in range(FORKS) if number % 10 != 1]
    names = [f"parent {number}" for number in range(int(run.stdout))] + [f"child {number}" for number in children]
    assert sorted(span.name for span in spans) == sorted(names + [f"in {name}" for name in names])
    assert len({span.process for span in spans}) == len(children) + 1
