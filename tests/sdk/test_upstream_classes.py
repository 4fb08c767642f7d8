"""Our providers pass for upstream's where programs ask by `isinstance`, whoever was imported first."""

import sys

import pytest

from tests.sdk.programs import run_program

CONFIGURE = "import millrace; telemetry = millrace.configure()\n"
IMPORT = """
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import Counter, MeterProvider, _Gauge
from opentelemetry.sdk.trace import TracerProvider
"""
ASK = """
assert isinstance(telemetry.tracer_provider, TracerProvider)
assert isinstance(telemetry.meter_provider, MeterProvider)
assert isinstance(telemetry.logger_provider, LoggerProvider)
meter = telemetry.meter_provider.get_meter("shop")
assert isinstance(meter.create_counter("orders"), Counter)
assert not isinstance(meter.create_histogram("latency"), Counter)
assert isinstance(meter.create_gauge("level"), _Gauge)
"""


@pytest.mark.parametrize("order", [CONFIGURE + IMPORT, IMPORT + CONFIGURE], ids=["ours first", "upstream's first"])
def test_providers_are_virtual_subclasses_of_upstreams(order: str) -> None:
    run = run_program(sys.executable, "-c", order + ASK, OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none")

    assert run.returncode == 0, run.stderr


def test_a_subclass_of_ours_is_one_of_upstreams_too() -> None:
    source = f"""
from millrace.sdk.logs import LoggerProvider as Ours
class Mine(Ours): pass
mine = Mine(shutdown_on_exit=False)
{IMPORT}
assert isinstance(mine, LoggerProvider)
"""
    run = run_program(sys.executable, "-c", source)

    assert run.returncode == 0, run.stderr
