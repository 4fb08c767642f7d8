"""`millrace run`: the program runs as if alone, and everything that is installed is instrumented."""

import sys
from pathlib import Path

import pytest

from tests.sdk.programs import run_program, script

MILLRACE = script("millrace")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that says whether httpx is instrumented, starts itself once more, and ends with 7."""
    path = tmp_path / "app.py"
    path.write_text(
        "import subprocess, sys, httpx\n"
        "print(hasattr(httpx.HTTPTransport.handle_request, '__wrapped__'), *sys.argv[1:], flush=True)\n"
        "if len(sys.argv) == 1:\n"
        "    subprocess.run([sys.executable, __file__, 'child'], check=False)\n"
        "sys.exit(7)\n"
    )
    return path


def test_a_program_and_its_children_are_instrumented_and_its_exit_code_is_that_of_the_command(program: Path) -> None:
    run = run_program(MILLRACE, "run", "--", "python", program)

    assert run.stdout.splitlines() == ["True", "True child"]
    assert run.returncode == 7


def test_what_was_instrumented_is_said_once_on_standard_error(program: Path) -> None:
    said = run_program(MILLRACE, "run", "--", "python", program).stderr.splitlines()

    (instrumented,) = [line for line in said if line.startswith("millrace run: instrumented: ")]
    assert {"fastapi", "httpx", "logging", "sqlite3"} <= set(instrumented.split(": ")[2].split(", "))


def test_a_service_without_a_name_is_told_how_to_get_one(program: Path) -> None:
    hint = "the service has no name yet: --service-name NAME or OTEL_SERVICE_NAME gives it one"
    assert hint in run_program(MILLRACE, "run", "--", "python", program).stderr
    assert hint not in run_program(MILLRACE, "run", "--service-name", "shop", "--", "python", program).stderr


def test_quiet_says_nothing(program: Path) -> None:
    assert "millrace run" not in run_program(MILLRACE, "run", "--quiet", "--", "python", program).stderr


def test_a_disabled_instrumentation_is_left_out_and_named_with_its_reason(program: Path) -> None:
    run = run_program(MILLRACE, "run", "--", "python", program, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="sqlite3 , httpx")

    assert run.stdout.splitlines() == ["False", "False child"]
    assert "not instrumented: httpx (disabled by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)" in run.stderr


def test_an_instrumentation_without_its_library_is_named_with_its_reason(program: Path) -> None:
    said = run_program(MILLRACE, "run", "--", "python", program).stderr

    assert "not instrumented: httpx2 (" in said


def test_a_script_without_an_interpreter_runs_in_ours(program: Path) -> None:
    assert run_program(MILLRACE, "run", "--", program).stdout.splitlines() == ["True", "True child"]


def test_a_module_runs_as_a_module() -> None:
    run = run_program(MILLRACE, "run", "--", "python", "-m", "platform")

    assert (run.returncode, bool(run.stdout)) == (0, True)


def test_a_sitecustomize_that_the_machine_has_still_runs(program: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('mine', __name__)\n")
    run = run_program(MILLRACE, "run", "--", "python", program, PYTHONPATH=str(own))

    of_the_command, *of_the_program = run.stdout.splitlines()
    assert of_the_command == "mine sitecustomize"
    assert of_the_program == ["mine sitecustomize", "True", "mine sitecustomize", "True child"]


def test_options_become_variables_and_win_over_those_of_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("import os\nprint(*(f'{n}={v}' for n, v in sorted(os.environ.items()) if n.startswith('OTEL_')))\n")
    run = run_program(
        MILLRACE, "run", "--service-name", "shop", "--endpoint", "http://127.0.0.1:1", "--header", "a=b c", "--",
        sys.executable, path,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:2", OTEL_SERVICE_NAME="old", OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip

    assert run.stdout.split() == [
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_HEADERS=a=b%20c",
        "OTEL_LOGS_EXPORTER=none",
        "OTEL_METRICS_EXPORTER=none",
        "OTEL_SERVICE_NAME=shop",
        "OTEL_TRACES_EXPORTER=none",
    ]


def test_a_command_that_does_not_exist_ends_as_in_a_shell() -> None:
    run = run_program(MILLRACE, "run", "--", "no-such-program")

    assert run.returncode == 127
    assert "no program 'no-such-program'" in run.stderr


def test_nothing_to_run_is_wrong_usage() -> None:
    assert run_program(MILLRACE, "run").returncode == 2
