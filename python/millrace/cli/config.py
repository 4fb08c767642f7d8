"""Check a configuration, print it in full, or print its schema, without starting anything."""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_json, add_set
from millrace.cli.codes import DONE, FAILED
from millrace.cli.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from millrace.gateway.config.problems import Problem

HELP = "validate, print or describe a configuration"

_EPILOG = """\
examples:
  millrace config validate gateway.yaml            every error with its line; exit code 1 when there is one
  millrace config validate gateway.yaml --set service.workers=2
  millrace config print gateway.yaml               with every default; headers and other secrets are hidden
  millrace config print --resolved gateway.yaml    what the engine reads, secrets included
  millrace config schema > gateway.schema.json     JSON Schema, for the completion of an editor
  millrace config schema --format markdown         the reference of all settings
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.epilog = _EPILOG
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    validate = verbs.add_parser("validate", help="report every error and warning", epilog=_EPILOG)
    validate.add_argument("file", help="YAML, or JSON when it ends in .json")
    add_set(validate)
    add_json(validate)
    add_color(validate)
    validate.set_defaults(run=_validate)
    printing = verbs.add_parser("print", help="print it with every default", epilog=_EPILOG)
    printing.add_argument("file", help="YAML, or JSON when it ends in .json")
    printing.add_argument("--resolved", action="store_true", help="print what the engine reads, secrets included")
    add_set(printing)
    add_json(printing)
    add_color(printing)
    printing.set_defaults(run=_print)
    schema = verbs.add_parser("schema", help="print what a configuration may contain", epilog=_EPILOG)
    schema.add_argument("--format", choices=("json", "markdown"), default="json", help="JSON Schema, or a page to read")
    add_json(schema)
    add_color(schema)
    schema.set_defaults(run=_schema)


def _validate(arguments: argparse.Namespace) -> int:
    from millrace.errors import ConfigError
    from millrace.gateway.config import load

    terminal = Terminal(arguments.color)
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    try:
        warnings = load(arguments.file, overrides=arguments.overrides).warnings
    except ConfigError as error:
        errors = error.problems
    if arguments.json:
        found = (("error", errors), ("warning", warnings))
        print(json.dumps([{"severity": name, **p._asdict()} for name, problems in found for p in problems], indent=2))
    else:
        for problem in errors:
            terminal.error(str(problem))
        for problem in warnings:
            terminal.warn(str(problem))
        if not errors:
            terminal.say(f"{arguments.file}: valid")
    return FAILED if errors else DONE


def _print(arguments: argparse.Namespace) -> int:
    from millrace.gateway.config import load, printing

    configuration = load(arguments.file, overrides=arguments.overrides)
    terminal = Terminal(arguments.color)
    for problem in configuration.warnings:
        terminal.warn(str(problem))
    if arguments.resolved:
        print(json.dumps(configuration.resolved, indent=2))
    else:
        print(printing.to_json(configuration) if arguments.json else printing.to_yaml(configuration))
    return DONE


def _schema(arguments: argparse.Namespace) -> int:
    from millrace.gateway.config.reference import markdown
    from millrace.gateway.config.schema import json_schema

    if arguments.format == "markdown" and not arguments.json:
        print(markdown(), end="")
    else:
        print(json.dumps(json_schema(), indent=2))
    return DONE
