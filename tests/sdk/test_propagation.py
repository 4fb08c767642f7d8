"""OTEL_PROPAGATORS: each name once, and a wrong one harms nobody (E10)."""

import subprocess
import sys

import pytest

PROGRAM = """
from millrace.sdk.propagation import install_propagators
install_propagators()
from opentelemetry import propagate
inner = getattr(propagate.get_global_textmap(), "_propagators", ())
print(",".join(type(one).__name__ for one in inner))
"""


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, "TraceContextTextMapPropagator,W3CBaggagePropagator"),
        ("", "TraceContextTextMapPropagator,W3CBaggagePropagator"),
        ("tracecontext,baggage", "TraceContextTextMapPropagator,W3CBaggagePropagator"),
        ("baggage, tracecontext,baggage", "W3CBaggagePropagator,TraceContextTextMapPropagator"),
        ("tracecontext,tracecontext", "TraceContextTextMapPropagator"),
        ("none", ""),
        ("nonsense,baggage", "W3CBaggagePropagator"),
        ("nonsense", ""),
    ],
)
def test_e10_the_propagators_are_those_named_each_once_and_a_wrong_name_is_left_out(
    variable: str | None, expected: str
) -> None:
    environment = {} if variable is None else {"OTEL_PROPAGATORS": variable}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == expected
    assert ("nonsense is left out" in run.stderr) == ("nonsense" in (variable or ""))
