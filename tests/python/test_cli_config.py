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
