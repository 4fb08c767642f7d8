"""`millrace config`: what is wrong with a configuration, what it says in full, what it may say."""

import json
from pathlib import Path

import pytest

from tests.python.commands import gateway_file, millrace

BAD = Path(__file__).with_name("config_errors") / "an_unknown_setting.yaml"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A configuration with a secret and a warning."""
    exporters = "{otlphttp: {endpoint: 'http://localhost:4318', headers: {authorization: s3cret}}, debug: }"
    return gateway_file(tmp_path, exporters, "{traces: {receivers: [otlp], exporters: [otlphttp]}}")


def test_a_valid_configuration_is_code_0_and_nothing_on_standard_output(good: Path) -> None:
    result = millrace("config", "validate", good)

    assert (result.code, result.out) == (0, "")
    assert result.err == (
        f"warning: {good}:2:100: exporters.debug: is defined and not used\n"
        "  hint: name it in a pipeline, or remove it\n"
        f"{good}: valid\n"
    )


def test_an_invalid_configuration_is_code_1_and_says_where() -> None:
    result = millrace("config", "validate", BAD)

    assert result.code == 1
    assert result.err == (
        f'error: {BAD}:8:9: receivers.otlp.protocols.grpc.endpont: unknown setting\n  hint: did you mean "endpoint"?\n'
    )


def test_problems_are_given_as_json() -> None:
    result = millrace("config", "validate", "--json", BAD)

    assert json.loads(result.out) == [
        {
            "severity": "error",
            "file": str(BAD),
            "line": 8,
            "column": 9,
            "setting": "receivers.otlp.protocols.grpc.endpont",
            "message": "unknown setting",
            "hint": 'did you mean "endpoint"?',
        }
    ]


def test_s17_a_printed_configuration_hides_secrets(good: Path) -> None:
    result = millrace("config", "print", good)

    assert "s3cret" not in result.out + result.err
    assert "authorization: '[REDACTED]'" in result.out


def test_a_printed_configuration_is_data_and_warnings_are_not(good: Path) -> None:
    result = millrace("config", "print", "--json", good)

    assert json.loads(result.out)["service"]["budget_mib"] == 256
    assert "warning: " in result.err


def test_the_resolved_configuration_is_what_the_engine_reads(good: Path) -> None:
    result = millrace("config", "print", "--resolved", good)

    assert json.loads(result.out)["exporters"]["otlphttp"]["headers"] == {"authorization": "s3cret"}


def test_the_schema_is_json() -> None:
    assert json.loads(millrace("config", "schema").out)["title"] == "Configuration of a millrace gateway"


def test_colours_are_used_when_they_are_asked_for() -> None:
    assert "\x1b[31merror:" in millrace("config", "validate", "--color", "always", BAD).err
    assert "\x1b" not in millrace("config", "validate", BAD).err


def test_set_wins_over_the_file_and_joins_mappings(good: Path) -> None:
    result = millrace(
        "config", "print", "--json", good,
        "--set", "exporters.otlphttp.timeout=2s",
        "--set", "exporters.otlphttp.headers={tenant: blue}",
        "--set", "receivers.otlp.protocols.http.endpoint=localhost:14318",
        "--set", "service::telemetry::resource::service.name=123",
        "--set", "service.workers=2",
        "--set", "service.workers=3",
    )  # fmt: skip

    printed = json.loads(result.out)
    exporter = printed["exporters"]["otlphttp"]
    assert (exporter["timeout"], exporter["endpoint"]) == ("2s", "http://localhost:4318")
    assert set(exporter["headers"]) == {"authorization", "tenant"}
    assert printed["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "localhost:14318"
    assert printed["service"]["telemetry"]["resource"]["service.name"] == "123"
    assert printed["service"]["workers"] == 3


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("service.wokers=2", '--set: service.wokers: unknown setting\n  hint: did you mean "workers"?'),
        ("service.workers=two", '--set: service.workers: expected a whole number from 1 to 1024, got "two"'),
        ("exporters.otlphttp.endpoint.host=a", '--set: exporters.otlphttp.endpoint.host: "endpoint" is not a mapping'),
        ("service.workers", "--set: expected path=value\n  hint: for example: --set exporters.otlp.timeout=2s"),
        ("service..workers=1", "--set: expected path=value"),
    ],
)
def test_a_faulty_set_is_an_error_that_names_the_flag(good: Path, assignment: str, message: str) -> None:
    for command in (("config", "validate", good), ("config", "print", good), ("serve", "--config", good)):
        result = millrace(*command, "--set", assignment)

        assert result.code == 1
        assert f"error: {message}" in result.err


def test_a_set_may_refer_to_the_environment_and_its_secret_is_not_shown(good: Path) -> None:
    setting = "exporters.otlphttp.headers.authorization=Bearer ${env:TOKEN}"

    result = millrace("config", "print", "--resolved", good, "--set", setting, environment={"TOKEN": "t0ken"})
    assert json.loads(result.out)["exporters"]["otlphttp"]["headers"] == {"authorization": "Bearer t0ken"}

    hidden = millrace("config", "print", good, "--set", setting, environment={"TOKEN": "t0ken"})
    assert "t0ken" not in hidden.out + hidden.err
