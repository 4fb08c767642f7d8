"""OTEL_CONFIG_FILE: declarative configuration 1.0, its values, its variables, and its errors with their lines."""

import sys
from pathlib import Path

import pytest

from millrace.declarative import Declaration, load
from millrace.errors import ConfigError
from tests.conformance.sink import Sink
from tests.sdk.programs import run_program

WHOLE = """\
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: shop}
    - {name: replicas, value: 3, type: int}
    - {name: zones, value: [a, b], type: string_array}
  attributes_list: "team=pay%20ments,service.name=other"
  schema_url: https://s
propagator:
  composite: [{baggage: }, {tracecontext: }]
attribute_limits: {attribute_value_length_limit: 100}
tracer_provider:
  processors:
    - batch:
        schedule_delay: 100
        max_queue_size: 50
        exporter:
          otlp_http:
            endpoint: ${ENDPOINT:-http://c:4318}/v1/traces
            compression: gzip
            timeout: 5000
            headers: [{name: tenant, value: "${TENANT}"}]
    - simple: {exporter: {console: }}
  sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.25}}}}
meter_provider:
  readers:
    - periodic: {interval: 1000, exporter: {otlp_grpc: {endpoint: "http://c:4317", temporality_preference: delta}}}
logger_provider:
  processors: [{simple: {exporter: {otlp_http: {encoding: json}}}}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "otel.yaml"


def read(file: Path, text: str) -> Declaration:
    file.write_text(text)
    return load(str(file))[0]


def test_a_whole_file_becomes_the_settings_of_the_engine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANT", "t1")
    declared = read(file, WHOLE)
    assert declared.plan is not None
    engine = declared.plan.settings.engine
    traces, (metrics,), logs = engine["traces"], engine["metrics"], engine["logs"]
    (to,), (logs_to,) = traces["exporters"], logs["exporters"]

    assert to["urls"]["traces"] == "http://c:4318/v1/traces"
    assert (to["headers"], to["compression"]) == ({"tenant": "t1"}, "gzip")
    assert (traces["schedule_delay_ms"], traces["max_queue_size"], to["timeout_ms"]) == (100, 50, 5_000)
    assert (metrics["interval_ms"], metrics["exporter"]["endpoint"]) == (1_000, "http://c:4317")
    assert (logs["schedule_delay_ms"], logs_to["encoding"]) == (0, "json")
    assert declared.plan.settings.exporters == {"traces": ["console"], "metrics": [], "logs": []}
    assert declared.plan.signals == ("traces", "metrics", "logs")
    assert declared.propagators == ["baggage", "tracecontext"]


def test_the_resource_is_that_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "of the variable")
    plan = read(file, WHOLE).plan
    assert plan is not None

    attributes = dict(plan.resource.attributes)
    assert {key: attributes[key] for key in ("service.name", "replicas", "zones", "team")} == {
        "service.name": "shop",
        "replicas": 3,
        "zones": ("a", "b"),
        "team": "pay ments",
    }
    assert attributes["telemetry.sdk.name"] == "millrace"
    assert plan.resource.schema_url == "https://s"


def test_a_variable_of_the_file_takes_the_type_that_its_text_has(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELAY", "250")
    text = """\
file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        schedule_delay: ${DELAY}
        export_timeout: ${ABSENT:-900}
        exporter: {otlp_http: }
"""
    plan = read(file, text).plan
    assert plan is not None

    traces = plan.settings.engine["traces"]
    assert (traces["schedule_delay_ms"], traces["export_timeout_ms"]) == (250, 900)


def test_a_disabled_file_has_no_plan(file: Path) -> None:
    assert read(file, "file_format: '1.0'\ndisabled: true\n") == Declaration(None, [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("tracer_provider:\n", 1, "file_format: is missing"),
        ('file_format: "0.4"\n', 1, 'file_format: expected the version of the format, "1.0"'),
        ('file_format: "1.0"\ntracer_providers: {}\n', 2, 'did you mean "tracer_provider"?'),
        ('file_format: "1.0"\ntracer_provider:\n  sampler: {always: }\n', 3, "millrace has no sampler of this name"),
        (
            'file_format: "1.0"\ntracer_provider:\n  processors:\n    - batch:\n        exporter: {otlp: }\n',
            5,
            "millrace has no exporter of this name",
        ),
        ('file_format: "1.0"\ntracer_provider:\n  processors:\n    - batch: {}\n', 4, "exporter: is missing"),
        (
            'file_format: "1.0"\ntracer_provider:\n  processors: []\n  sampler: {trace_id_ratio_based: {ratio: 2}}\n',
            4,
            "expected a number from 0 to 1, got 2",
        ),
        (
            """\
file_format: "1.0"
meter_provider:
  readers:
    - pull: {exporter: {prometheus/development: {translation_strategy: no_translation}}}
""",
            4,
            "millrace does not have this",
        ),
        (
            'file_format: "1.0"\nresource:\n  attributes:\n    - {name: a, value: b, type: int}\n',
            4,
            'expected a value of the type int, got "b"',
        ),
        ('file_format: "1.0"\n  x: 1\n', 2, "not valid YAML"),
    ],
)
def test_an_error_names_its_line_and_what_to_do(file: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(file, text)

    assert raised.value.line == line
    assert message in str(raised.value)


def test_every_error_of_a_file_is_named_at_once(file: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read(file, "file_format: '9'\nresource: 5\ndisabled: 7\n")

    assert [problem.line for problem in raised.value.problems] == [1, 2, 3]


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the file: No such file"):
        load(str(file))


PROGRAM = """
import millrace
millrace.configure()
from opentelemetry import trace
trace.get_tracer("t").start_span("one").end()
"""
OTHERWISE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_SDK_DISABLED": "true", "OTEL_TRACES_SAMPLER": "always_off"}


def test_a_program_exports_as_its_file_says_whatever_the_variables_say(file: Path, sink: Sink) -> None:
    exporter = f"{{otlp_http: {{endpoint: '{sink.http_url}/v1/traces'}}}}"
    file.write_text(f"file_format: '1.0'\ntracer_provider: {{processors: [{{batch: {{exporter: {exporter}}}}}]}}\n")
    run = run_program(sys.executable, "-c", PROGRAM, OTEL_CONFIG_FILE=str(file), **OTHERWISE)

    assert (run.returncode, run.stderr) == (0, "")
    assert sink.names("traces") == ["one"]


def test_a_broken_file_is_said_with_its_line_and_does_not_stop_the_program(file: Path) -> None:
    file.write_text("file_format: '1.0'\ntracer_provider: 5\n")
    run = run_program(sys.executable, "-c", PROGRAM, OTEL_CONFIG_FILE=str(file))

    assert run.returncode == 0
    assert f"{file}:2:18: tracer_provider: expected a mapping" in run.stderr
    assert "Traceback" not in run.stderr


def test_strict_raises_what_is_wrong_with_the_file(file: Path) -> None:
    file.write_text("file_format: '1.0'\ntracer_provider: 5\n")
    source = "import millrace; millrace.configure(strict=True)"
    run = run_program(sys.executable, "-c", source, OTEL_CONFIG_FILE=str(file))

    assert run.returncode == 1
    assert "millrace.errors.ConfigError" in run.stderr
