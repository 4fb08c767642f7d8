"""The list of variables: what it documents is read somewhere, and nothing of upstream's is missing."""

import re
from pathlib import Path

import opentelemetry.environment_variables as api
import opentelemetry.sdk.environment_variables as stock
import pytest

from millrace.sdk import environment_variables as ours
from scripts.document_variables import PAGE, SOURCE, page, sections

ROOT = Path(__file__).parents[2]
DOCUMENTED = [variable for variables in sections(SOURCE.read_text()).values() for variable in variables]
READERS = [
    path.read_text()
    for folder, suffix in (("python", "*.py"), ("crates", "*.rs"))
    for path in (ROOT / folder).rglob(suffix)
    if path != SOURCE
]
COMPOSED = re.compile(r"OTEL_EXPORTER_OTLP_((?:CLIENT_)?[A-Z]+)")
"""Read by a name that is put together of the signal and this."""
BY_THE_API = {"OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER", "OTEL_PYTHON_LOGGER_PROVIDER"}


@pytest.mark.parametrize("name", [variable.name for variable in DOCUMENTED])
def test_a_documented_variable_is_read_by_the_sdk(name: str) -> None:
    match = COMPOSED.fullmatch(name)
    needle = f'"{match[1]}"' if match else name

    assert name in BY_THE_API or any(needle in text for text in READERS)


def test_every_public_constant_of_the_stock_sdk_can_be_imported_from_here() -> None:
    wanted = {name for module in (stock, api) for name in vars(module) if name.startswith("OTEL_")}

    assert wanted - set(vars(ours)) <= {"OTEL_PYTHON_CONTEXT"}


def test_a_constant_is_the_name_of_its_variable() -> None:
    assert [
        name for name, value in vars(ours).items() if name.startswith(("OTEL_", "MILLRACE_")) and name != value
    ] == []


def test_the_page_of_variables_is_what_its_script_writes() -> None:
    assert PAGE.read_text() == page(SOURCE.read_text())
