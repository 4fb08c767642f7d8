"""Run a Python program with OpenTelemetry: millrace configured, and every installed instrumentation switched on.

The program starts as if alone: same process, same signals, its own exit code. Processes and reloaders that it starts
get the same. What was instrumented, and what was found but could not be, is said on standard error.
"""

import argparse

from millrace.cli.arguments import Parser, add_color, add_header
from millrace.cli.codes import USAGE
from millrace.cli.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

HELP = "run a Python program with OpenTelemetry"

_EPILOG = """\
examples:
  millrace run -- uvicorn app:app --reload
  millrace run --service-name shop --endpoint http://localhost:4318 -- python app.py
  millrace run -- python -m celery -A tasks worker

All OTEL_ variables of the SDK count; an option wins over its variable. What is installed as
opentelemetry-instrumentation-... is instrumented, but for those in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.
An interpreter that ignores PYTHONPATH (python -I, python -E, python -S) cannot be instrumented from outside.
"""

_SETTINGS = {"endpoint": "ENDPOINT", "protocol": "PROTOCOL", "compression": "COMPRESSION"}
_PREFIXES = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_METRICS_", "OTEL_EXPORTER_OTLP_LOGS_")


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--service-name", metavar="NAME", help="service.name of the program")
    parser.add_argument("--endpoint", metavar="URL", help="where telemetry goes (default http://localhost:4318)")
    parser.add_argument("--protocol", choices=("http/protobuf", "http/json", "grpc"), help="how it travels")
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), help="how it is compressed")
    add_header(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="do not say what is instrumented")
    add_color(parser)
    parser.add_argument("command_line", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="what to run")
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replace this process by the program; return only when there is none."""
    import os

    command = arguments.command_line[1:] if arguments.command_line[:1] == ["--"] else arguments.command_line
    terminal = Terminal(arguments.color)
    if not command:
        terminal.error("nothing to run: write the program after --, as in millrace run -- python app.py")
        return USAGE
    program = _resolved(command)
    if program is None:
        terminal.error(f"there is no program {command[0]!r} on the PATH or beside {_interpreter()}")
        return _NOT_FOUND
    environment = dict(os.environ)
    _set_variables(arguments, environment)
    return os.execve(program[0], program, environment)  # noqa: S606 - running it is what was asked for


_NOT_FOUND = 127
"""What a shell answers."""


def _interpreter() -> str:
    import sys

    return sys.executable


def _resolved(command: list[str]) -> list[str] | None:
    """Return the command with the path of its program; one beside our interpreter comes first, as it sees millrace."""
    import os
    import shutil
    from pathlib import Path

    name, *rest = command
    if name.endswith(".py") and not os.access(name, os.X_OK):
        return [_interpreter(), *command]
    beside = str(Path(_interpreter()).parent)
    path = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))
    # The path and not the name, also as argv[0]: an interpreter finds its virtual environment by it.
    return [path, *rest] if path else None


def _set_variables(arguments: argparse.Namespace, environment: "MutableMapping[str, str]") -> None:
    import os
    from pathlib import Path
    from urllib.parse import quote

    import millrace.bootstrap.path as bootstrap
    from millrace.bootstrap.start import ANNOUNCED, QUIET

    if arguments.service_name:
        environment["OTEL_SERVICE_NAME"] = arguments.service_name
    chosen = {setting: getattr(arguments, name) for name, setting in _SETTINGS.items()}
    chosen["HEADERS"] = ",".join(f"{name}={quote(value)}" for name, value in arguments.header)
    for setting, value in chosen.items():
        if value:
            environment[f"OTEL_EXPORTER_OTLP_{setting}"] = value
            for prefix in _PREFIXES:  # an option is for every signal
                environment.pop(prefix + setting, None)
    if arguments.quiet:
        environment[QUIET] = "1"
    environment.pop(ANNOUNCED, None)
    (own,) = bootstrap.__path__
    before = environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(own)), *(part for part in before if part and part != own)])
