"""The command `millrace`: one file for each verb, and the list that knows them.

A verb's module has `HELP` (one line), `configure(parser)` (its arguments and examples) and `run(arguments)` (returns
the exit code). It imports what it needs inside `run`: `--help` answers before the engine is loaded.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from millrace.cli import (
    bench,
    compare,
    completion,
    config,
    convert,
    export,
    gen,
    import_,
    inspect,
    logs,
    query,
    run,
    send,
    serve,
    sink,
    tail,
    trace,
    version,
)
from millrace.cli.arguments import Parser
from millrace.cli.codes import DONE, FAILED, INTERRUPTED, PIPE_CLOSED, UNREACHABLE
from millrace.cli.terminal import Terminal, clean
from millrace.errors import ConfigError, MillraceError, UnreachableError

__all__ = ["COMMANDS", "build_parser", "main"]

COMMANDS = (
    run, serve, query, trace, logs, tail, compare, export, import_, send, gen, sink, bench, inspect, convert, config,
    version, completion,
)  # fmt: skip
"""In the order of `millrace --help`."""

_EPILOG = """\
examples:
  millrace run -- uvicorn app:app             run a program with OpenTelemetry
  millrace serve                              keep what programs send, and show it: http://127.0.0.1:4319
  millrace trace search --status error        search it in the terminal
  millrace serve --config gateway.yaml        run a gateway
  millrace gen --rate 1000 --duration 10s     send it telemetry, and report what became of it
  millrace inspect received.jsonl             look into a file

Data goes to standard output, everything else to standard error. Exit codes: 0 all is well, 1 something was found or
failed, 2 wrong usage, 3 the endpoint cannot be reached, 4 the endpoint rejected part of it, 130 interrupted.
Every option can also be set by an environment variable, such as MILLRACE_SERVE_CONFIG; `millrace COMMAND --help`
names them.
"""


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="millrace", description="Record, move, keep and look at OpenTelemetry telemetry.", epilog=_EPILOG
    )
    parser.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].rstrip("_")  # `import` is a word of Python's
        command.configure(verbs.add_parser(name, help=command.HELP, description=command.__doc__))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        terminal = Terminal(arguments.color)
        for problem in error.problems:
            terminal.error(str(problem))
        return FAILED
    except (MillraceError, OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            return _close_stdout()
        Terminal(arguments.color).error(_sentence(error))
        return UNREACHABLE if isinstance(error, UnreachableError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _sentence(error: Exception) -> str:
    """Say what failed; of a file its name and the system's reason, without the number that only programs know."""
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.strerror:
        return f"{clean(os.fsdecode(error.filename))}: {error.strerror}"
    return str(error)


def _close_stdout() -> int:
    """The reader of a pipe has gone (`| head`): nobody is left to tell, and Python must not try again at exit."""
    sys.stdout = None
    return PIPE_CLOSED


class _PrintVersion(argparse.Action):
    """`--version`, which looks the version up only when it is asked for."""

    def __call__(self, *_: object) -> NoReturn:
        from millrace.cli.version import version_text

        print(version_text())
        sys.exit(DONE)
