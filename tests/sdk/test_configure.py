"""`millrace.configure`: one call, twice is safe, and wrong settings harm nobody."""

import sys

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import run_program

SPAN = "from opentelemetry import trace; trace.get_tracer('t').start_span('one').end()\n"
LOG = (
    "from opentelemetry import _logs; _logs.get_logger('t').emit(body='hello', severity_text='INFO',"
    " severity_number=_logs.SeverityNumber.INFO)\n"
)
COUNT = "from opentelemetry import metrics; metrics.get_meter('t').create_counter('orders').add(2)\n"


def python(source: str, sink: Sink | None = None, **variables: str) -> "list[str]":
    """Run a program, and return the lines it prints. What it says on standard error belongs to them."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url} if sink else {}
    run = run_program(sys.executable, "-c", source, **(endpoint | variables))
    assert run.returncode == 0, run.stderr
    return (run.stdout + run.stderr).splitlines()


def test_one_call_exports_all_three_signals(sink: Sink) -> None:
    said = python(f"import millrace\nmillrace.configure(service_name='shop')\n{SPAN}{COUNT}{LOG}", sink)

    assert said == []
    assert sink.names("traces") == ["one"]
    assert sink.names("metrics") == ["orders"]
    assert len(sink.messages("logs")) == 1


def test_the_service_name_of_the_argument_wins_over_the_variables(sink: Sink) -> None:
    python(f"import millrace; millrace.configure(service_name='shop')\n{SPAN}", sink, OTEL_SERVICE_NAME="other")

    (message,) = sink.messages("traces")
    resource = message.resource_spans[0].resource
    attributes = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert attributes["service.name"] == "shop"
    assert attributes["telemetry.sdk.name"] == "millrace"
    assert attributes["service.instance.id"]


@pytest.mark.parametrize(
    "resource",
    [
        "{'a': 'b'}",
        "millrace.sdk.resources.Resource({'a': 'b'})",
        "opentelemetry.sdk.resources.Resource({'a': 'b'})",
    ],
)
def test_a_resource_may_be_attributes_or_one_of_either_sdk(resource: str, sink: Sink) -> None:
    imports = "import millrace, millrace.sdk.resources, opentelemetry.sdk.resources\n"
    python(f"{imports}millrace.configure(resource={resource})\n{SPAN}", sink)

    (message,) = sink.messages("traces")
    attributes = message.resource_spans[0].resource.attributes
    assert {attribute.key: attribute.value.string_value for attribute in attributes}["a"] == "b"


def test_a_second_call_returns_what_the_first_has_made() -> None:
    said = python("import millrace; print(millrace.configure() is millrace.configure())", OTEL_TRACES_EXPORTER="none")

    assert said == ["True"]


def test_a_second_call_with_other_arguments_is_said_once() -> None:
    source = "import millrace\nfor name in 'abc': millrace.configure(service_name=name, traces=False)\n"

    assert len([line for line in python(source) if "configure was called before" in line]) == 1


def test_the_destination_is_said_in_one_line_at_info(sink: Sink) -> None:
    source = "import logging, millrace\nlogging.basicConfig(level='INFO')\nmillrace.configure(service_name='shop')\n"
    (line,) = python(source, sink)

    assert line == (
        f"INFO:millrace:Telemetry of 'shop' goes: traces to {sink.http_url}/v1/traces (http/protobuf); "
        f"metrics to {sink.http_url}/v1/metrics (http/protobuf); logs to {sink.http_url}/v1/logs (http/protobuf)"
    )


def test_e10_a_disabled_sdk_records_nothing_and_loads_no_provider() -> None:
    source = f"import millrace, opentelemetry.trace as t\nmillrace.configure()\n{SPAN}print(t.get_tracer_provider())"

    assert "ProxyTracerProvider" in python(source, OTEL_SDK_DISABLED="true")[0]


def test_a_signal_that_is_switched_off_keeps_the_apis_own_provider() -> None:
    source = (
        "import millrace, opentelemetry.trace as t\nmillrace.configure(traces=False)\nprint(t.get_tracer_provider())"
    )

    assert "ProxyTracerProvider" in python(source)[0]


def test_a_signal_without_exporter_still_has_spans_with_ids(sink: Sink) -> None:
    source = (
        "import millrace, opentelemetry.trace as t\nmillrace.configure()\n"
        "print(t.get_tracer('t').start_span('one').get_span_context().is_valid)"
    )

    assert python(source, sink, OTEL_TRACES_EXPORTER="none") == ["True"]
    assert sink.messages("traces") == []


@pytest.mark.parametrize(
    "arguments",
    [
        "endpoint='nonsense'",
        "protocol='carrier pigeon'",
        "compression='brotli'",
        "timeout_s=-1",
        "timeout_s='soon'",
        "headers={'a b': 'c'}",
        "resource=5",
        "exit_timeout_s='x'",
        "service_name=object()",
    ],
)
def test_a_wrong_argument_is_said_and_does_not_stop_the_program(arguments: str) -> None:
    source = f"import millrace\nmillrace.configure({arguments})\n{SPAN}print('alive')"
    said = python(source, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", MILLRACE_EXIT_TIMEOUT="0")

    assert "alive" in said
    assert len(said) > 1


@pytest.mark.parametrize("arguments", ["endpoint='nonsense'", "protocol='x'", "compression='x'", "timeout_s=-1"])
def test_strict_raises_what_is_wrong(arguments: str) -> None:
    run = run_program(sys.executable, "-c", f"import millrace; millrace.configure({arguments}, strict=True)")

    assert run.returncode == 1
    assert "millrace.errors.SettingsError" in run.stderr


def test_stats_say_what_became_of_everything(sink: Sink) -> None:
    source = (
        f"import millrace\ntelemetry = millrace.configure(metrics=False, logs=False)\n{SPAN}"
        "print(telemetry.force_flush(10))\nfound = telemetry.stats()['traces']\n"
        "print(found['recorded'], found['exported'], found['queued'], sum(found['dropped'].values()))"
    )

    assert python(source, sink) == ["True", "1 1 0 0"]


def test_a_block_ends_with_a_shutdown(sink: Sink) -> None:
    source = f"import millrace, os\nwith millrace.configure():\n    {SPAN.strip()}\nos._exit(0)\n"
    python(source, sink)

    assert sink.names("traces") == ["one"]


@pytest.mark.parametrize(("signal", "use"), [("TRACER", SPAN), ("METER", COUNT), ("LOGGER", LOG)])
def test_a_provider_that_a_variable_names_configures_itself(signal: str, use: str, sink: Sink) -> None:
    name = {"TRACER": "traces", "METER": "metrics", "LOGGER": "logs"}[signal]
    python(use, sink, **{f"OTEL_PYTHON_{signal}_PROVIDER": "millrace"})

    assert [arrival.signal for arrival in sink.arrivals] == [name]


def test_nothing_of_the_stock_sdk_nor_protobuf_grpc_or_requests_is_loaded(sink: Sink) -> None:
    source = (
        f"import sys, millrace\nmillrace.configure()\n{SPAN}{COUNT}{LOG}"
        "heavy = ('opentelemetry.sdk', 'google.protobuf', 'grpc', 'requests', 'yaml', 'asyncio', 'pathlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    assert python(source, sink) == ["[]"]


@pytest.mark.parametrize(
    ("argument", "variables"),
    [
        ("logging_handler=True", {}),
        ("", {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}),
    ],
)
def test_records_of_logging_become_log_records_where_that_is_asked_for(
    argument: str, variables: dict[str, str], sink: Sink
) -> None:
    source = f"import logging, millrace\nmillrace.configure({argument})\nlogging.getLogger('t').warning('careful')"
    python(source, sink, **variables)

    assert sink.names("logs") == ["careful"]


def test_configure_imports_nothing_of_weight_beyond_the_api() -> None:
    source = """
import sys
import opentelemetry._logs, opentelemetry.metrics, opentelemetry.propagate, opentelemetry.trace
before = set(sys.modules)
import millrace
millrace.configure(traces=True, metrics=True, logs=True)
print(sorted(name for name in sys.modules if name not in before and not name.startswith("millrace")))
print(sorted(name for name in sys.modules if name.startswith("millrace.sdk.metrics.")))
print("millrace.sdk.trace.sampling" in sys.modules)
"""
    foreign, of_metrics, has_samplers = python(source)

    assert foreign == "['signal']"
    assert of_metrics == "['millrace.sdk.metrics._attributes', 'millrace.sdk.metrics._provider']"
    assert has_samplers == "False"
