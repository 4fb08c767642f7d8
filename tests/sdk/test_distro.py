"""`opentelemetry-instrument` over millrace, where it is asked for, and over the stock SDK, where it is not."""

import sys
from pathlib import Path

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import run_program, script

PROGRAM = "from opentelemetry import trace\ntrace.get_tracer('t').start_span('one').end()\n"


def recorded_by(sink: Sink, folder: Path, **variables: str) -> dict[str, str]:
    """Run a program under opentelemetry-instrument; return the resource of its span."""
    program = folder / "app.py"
    program.write_text(PROGRAM)
    run = run_program(
        script("opentelemetry-instrument"), sys.executable, program, OTEL_EXPORTER_OTLP_ENDPOINT=sink.http_url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
        PYTHONWARNINGS="default", **variables,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (message,) = sink.messages("traces")
    attributes = message.resource_spans[0].resource.attributes
    return {attribute.key: attribute.value.string_value for attribute in attributes}


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_PYTHON_DISTRO": "millrace"}, {"OTEL_PYTHON_CONFIGURATOR": "millrace"}],
    ids=["distro", "configurator"],
)
def test_a_variable_that_names_millrace_brings_millrace(variables: dict[str, str], sink: Sink, tmp_path: Path) -> None:
    resource = recorded_by(sink, tmp_path, **variables)

    assert resource["telemetry.sdk.name"] == "millrace"
    assert resource["telemetry.auto.version"]


def test_without_a_variable_the_stock_sdk_stays_the_sdk(sink: Sink, tmp_path: Path) -> None:
    assert recorded_by(sink, tmp_path)["telemetry.sdk.name"] == "opentelemetry"


def test_the_options_of_opentelemetry_instrument_are_not_offered_twice() -> None:
    run = run_program(script("opentelemetry-instrument"), "--help", PYTHONWARNINGS="default")

    assert run.returncode == 0, run.stderr
    assert "--exporter_otlp_endpoint" in run.stdout
