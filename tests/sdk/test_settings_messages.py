"""What a person reads who has set something wrong: which setting, what was expected, what happens instead; once."""

import sys

import pytest

from tests.conformance.sink import Sink
from tests.sdk.programs import run_program
from tests.sdk.test_engine_faults import refused

SPAN = "from opentelemetry import trace; trace.get_tracer('t').start_span('one').end()\n"


def said(arguments: str = "", source: str = "", **variables: str) -> list[str]:
    """What a program says that configures so, and does nothing else unless `source` does; it must end well."""
    program = f"import millrace\ntelemetry = millrace.configure({arguments})\n{source}"
    run = run_program(sys.executable, "-c", program, **({"MILLRACE_EXIT_TIMEOUT": "0"} | variables))
    assert run.returncode == 0, run.stderr
    return run.stderr.splitlines()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "headers='a=secret'",
            "headers: expected a mapping of names to texts, got a value of type str; it is left out",
        ),
        ("headers={'a': 3}", "headers: expected a mapping of names to texts, got a value of type dict; it is left out"),
        ("service_name=7", "service_name: expected a name, got a value of type int; it is left out"),
        ("service_name=' '", "service_name: expected a name, got an empty text; it is left out"),
        ("endpoint=4318", "endpoint: expected a URL as text, got a value of type int; it is left out"),
        (
            "resource='team=a'",
            "resource: expected a Resource or a mapping of attributes, got a value of type str; it is left out",
        ),
        (
            "sampler='always_on'",
            (
                "sampler: expected an object with should_sample (a name goes into OTEL_TRACES_SAMPLER), "
                "got a value of type str; it is left out"
            ),
        ),
        (
            "endpoint='http://localhost:43l8'",
            (
                "endpoint: the port is a number from 0 to 65535, got 'http://localhost:43l8'; "
                "what would go there is not exported"
            ),
        ),
    ],
)
def test_an_argument_that_is_not_of_its_kind_is_said_in_one_line(argument: str, message: str) -> None:
    assert said(argument) == [message]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuff", "(did you mean http/protobuf?); the default is used"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "(did you mean http://localhost:4318?)"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization Bearer", 'a part of it is not "key=value" and is left out'),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceid_ratio", "(did you mean parentbased_traceidratio?)"),
        ("OTEL_TRACES_SAMPLER", "no_such_thing", "parentbased_always_on is used"),
        ("OTEL_TRACES_EXPORTER", "oltp", "(did you mean otlp?)"),
        ("OTEL_PROPAGATORS", "tracecontex", "(did you mean tracecontext?)"),
        ("OTEL_SDK_DISABLED", "yes", "expected true or false, got 'yes'; it counts as false"),
    ],
)
def test_e9_a_wrong_variable_is_said_once_for_all_signals_and_strict_raises_it(
    variable: str, value: str, message: str
) -> None:
    (line,) = said(**{variable: value})
    assert line.startswith(f"{variable}: ")
    assert message in line
    run = run_program(sys.executable, "-c", "import millrace; millrace.configure(strict=True)", **{variable: value})
    *_, raised = run.stderr.splitlines()
    assert raised.startswith(f"millrace.errors.SettingsError: {variable}: ")


def test_credentials_beside_a_wrong_port_are_not_repeated() -> None:
    lines = said(OTEL_EXPORTER_OTLP_ENDPOINT="user:secret@host", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert lines
    assert "secret" not in "".join(lines)


def test_a_second_configuration_is_told_which_of_its_arguments_do_nothing() -> None:
    again = (
        "millrace.configure()\nmillrace.configure(service_name='a')\nmillrace.configure(service_name='b', logs=False)"
    )
    assert said("service_name='a', exit_timeout_s=0", again) == [
        (
            "configure was called before in this process; the first call counts, so these arguments of another one do "
            "nothing: service_name, logs"
        )
    ]


def test_the_end_says_how_much_was_not_delivered_and_what_gives_it_more_time() -> None:
    with refused() as url:
        lines = said(source=SPAN, OTEL_EXPORTER_OTLP_ENDPOINT=url, MILLRACE_EXIT_TIMEOUT="100")
    assert (
        "The process ends and leaves telemetry undelivered: 1 of 1 spans (its end waits 0.1 s for delivery: "
        "exit_timeout_s or MILLRACE_EXIT_TIMEOUT)"
    ) in lines


def test_an_end_that_leaves_nothing_undelivered_says_nothing() -> None:
    with refused() as url:
        assert said(OTEL_EXPORTER_OTLP_ENDPOINT=url) == []


@pytest.mark.parametrize(
    ("scheme", "protocol", "port", "question"),
    [
        ("https", "http/protobuf", "http", "nobody speaks TLS there: is it http:// instead of https://?"),
        ("https", "grpc", "grpc", "nobody speaks TLS there: is it http:// instead of https://?"),
        ("http", "http/protobuf", "grpc", "nobody speaks HTTP/1.1 there: is it https://, or the port of gRPC?"),
    ],
)
def test_two_sides_that_speak_different_protocols_are_told_so(
    scheme: str, protocol: str, port: str, question: str, sink: Sink
) -> None:
    url = (sink.grpc_url if port == "grpc" else sink.http_url).replace("http", scheme, 1)
    lines = said(
        source=SPAN + "telemetry.force_flush(0.5)",
        OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )  # fmt: skip
    assert question in lines[0]
