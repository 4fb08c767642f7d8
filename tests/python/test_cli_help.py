"""The command line explains itself, quickly, and completely."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from millrace.cli import COMMANDS, build_parser
from tests.python.commands import PROGRAM, millrace


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Return a parser and those of all its commands."""
    yield parser
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for below in action.choices.values():
                yield from parsers(below)


ALL = list(parsers(build_parser()))


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog)
def test_every_argument_has_help(parser: argparse.ArgumentParser) -> None:
    missing = [
        action.dest
        for action in parser._actions  # noqa: SLF001 - argparse has no other way to ask
        if not action.help and not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - the same
    ]

    assert missing == []


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog)
def test_every_command_shows_examples(parser: argparse.ArgumentParser) -> None:
    assert parser.epilog is not None
    assert f"{parser.prog.split(' ')[0]} " in parser.epilog
    assert "example" in parser.epilog


@pytest.mark.parametrize("parser", ALL[1:], ids=lambda parser: parser.prog)
def test_every_command_has_a_colour_option(parser: argparse.ArgumentParser) -> None:
    if parser.prog not in {"millrace config", "millrace trace"}:
        assert "--color" in parser.format_help()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_command_is_described_in_one_line(command: object) -> None:
    name = command.__name__.rpartition(".")[2].rstrip("_")  # type: ignore[attr-defined] # a module
    line = next(line for line in millrace("--help").out.split("\n") if line.strip().startswith(name))

    assert line.split(maxsplit=1)[1] == command.HELP  # type: ignore[attr-defined] # a module


def test_every_option_names_its_environment_variable() -> None:
    shown = millrace("serve", "--help").out

    assert "MILLRACE_SERVE_CONFIG" in shown
    assert "MILLRACE_SERVE_WORKERS" in shown


def test_an_environment_variable_sets_an_option() -> None:
    result = millrace("config", "schema", environment={"MILLRACE_CONFIG_SCHEMA_FORMAT": "markdown"})

    assert result.out.startswith("## receivers")


def test_a_flag_wins_over_its_environment_variable() -> None:
    result = millrace("config", "schema", "--format", "json", environment={"MILLRACE_CONFIG_SCHEMA_FORMAT": "markdown"})

    assert result.out.startswith("{")


def test_help_answers_within_150_ms_of_processor_time() -> None:
    def cpu_s() -> float:
        process = subprocess.Popen([*PROGRAM, "--help"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    assert min(cpu_s() for _ in range(5)) < 0.150


def test_help_imports_neither_the_engine_nor_yaml() -> None:
    code = (
        "import sys\nfrom millrace.cli import main\n"
        "try: main(['serve', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'yaml', 'shtab', 'millrace._native', 'millrace.gateway'} & sys.modules.keys()), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


def test_importing_the_package_costs_less_than_20_ms_of_processor_time() -> None:
    code = "import time; t = time.process_time(); import millrace; print(time.process_time() - t)"

    def once() -> float:
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert min(once() for _ in range(3)) < 0.020


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_the_commands(shell: str) -> None:
    result = millrace("completion", shell)

    assert result.code == 0
    assert all(command.__name__.rpartition(".")[2].rstrip("_") in result.out for command in COMMANDS)


def test_a_wrong_argument_is_one_line_and_a_hint_with_code_2() -> None:
    result = millrace("serve", "--cofnig", "x")

    assert result.code == 2
    assert result.err.startswith("error: ")
    assert "hint: millrace serve --help" in result.err


def test_the_version_is_printed() -> None:
    assert millrace("--version").out == millrace("version").out
    assert millrace("version").out.startswith("millrace 0.")
