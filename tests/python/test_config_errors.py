"""Every fault of a configuration is named with its line, its setting and a remedy: the cases are files nearby."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.errors import ConfigError
from millrace.gateway.config import load, printing
from tests.python.test_config import COLLECTOR

CASES = sorted(Path(__file__).with_name("config_errors").glob("*.yaml"))
FRAGMENTS = (
    "null",
    "[]",
    "{}",
    "*http",
    "&http ",
    "${env:",
    "${x:-${y}}",
    "}",
    "\t",
    "1e9",
    "'",
    '"',
    ": ",
    "- ",
    "<<: ",
    "\n",
    "  ",
    "!!str ",
    "|",
    "::1",
    "~",
    "[[",
    "{a: }",
    "#",
)


def expected(case: Path) -> list[str]:
    """Return the messages that stand as a comment at the top of a case."""
    lines = case.read_text(encoding="utf-8").split("\n")
    assert lines[0] == "# expected:"
    return [line.removeprefix("#   ") for line in lines[1:] if line.startswith("#   ")]


def messages(error: ConfigError) -> list[str]:
    """Return the messages of an error, without the name of the file."""
    return "\n".join(str(problem._replace(file=None)) for problem in error.problems).split("\n")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_fault_is_reported_with_its_place_and_its_remedy(case: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(case, environment={})

    assert messages(caught.value) == expected(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_no_message_contains_a_secret(case: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(case, environment={})

    assert not any(secret in text for secret in ("secret", "12345") for text in messages(caught.value))


def test_an_error_carries_file_line_setting_and_hint_as_attributes() -> None:
    case = CASES[0].with_name("several_errors_at_once.yaml")

    with pytest.raises(ConfigError) as caught:
        load(case)

    error = caught.value
    assert (error.file, error.line, error.setting) == (str(case), 16, "receivers.otlp.protocols.grpc.endpont")
    assert error.hint == 'did you mean "endpoint"?'
    assert len(error.problems) == 5


def test_a_file_that_is_not_utf8_is_reported_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin1.yaml"
    file.write_bytes("receivers:\n  # caf\xe9\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"latin1\.yaml:2: the file is not UTF-8 text"):
        load(file)


def test_a_control_character_is_reported_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "nul.yaml"
    file.write_bytes(b"receivers:\n  otlp: \x00\n")

    with pytest.raises(ConfigError, match=r"nul\.yaml:2: the character U\+0000 is not allowed"):
        load(file)


def test_a_missing_file_is_reported() -> None:
    with pytest.raises(ConfigError, match=r"^/nonexistent\.yaml: cannot read the file: No such file or directory$"):
        load("/nonexistent.yaml")


def test_anchors_that_multiply_are_stopped(tmp_path: Path) -> None:
    file = tmp_path / "laughs.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    file.write_text("\n".join(lines), encoding="utf-8")

    with pytest.raises(ConfigError, match="more than 100000 values"):
        load(file)


def test_nesting_that_would_exhaust_the_stack_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text("a: " + "[" * 100_000, encoding="utf-8")

    with pytest.raises(ConfigError, match="more than 64 levels of nesting"):
        load(file)


def test_what_is_not_printable_does_not_reach_the_terminal() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"service": {"pipelines": {"\x1b[2Jtraces": {}}}})

    assert "\x1b" not in str(caught.value)


def test_a_mapping_has_places_without_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"exporters": {"nope": {}}, "service": {"pipelines": {}}})

    assert str(caught.value).startswith('exporters.nope: there is no exporter "nope"')


def test_a_python_object_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"receivers\.otlp: expected a mapping, a list, text.*, got set"):
        load({"receivers": {"otlp": {1, 2}}})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mangled_configuration_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    text = COLLECTOR
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.sampled_from(FRAGMENTS) | st.text(max_size=5))
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 30)) :]
    file = tmp_path / "mangled.yaml"
    file.write_text(text, encoding="utf-8", errors="replace")

    with suppress(ConfigError):
        printing.to_yaml(load(file))
