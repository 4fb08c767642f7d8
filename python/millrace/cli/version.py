"""Print the version of millrace, of Python and of the platform."""

import argparse
import json

from millrace.cli.arguments import Parser, add_color, add_json
from millrace.cli.codes import DONE

HELP = "print the version"


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_json(parser)
    add_color(parser)
    parser.epilog = "example:\n  millrace version --json"
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(_versions()) if arguments.json else version_text())
    return DONE


def version_text() -> str:
    """Return the version as one line."""
    versions = _versions()
    return f"millrace {versions['millrace']} (Python {versions['python']}, {versions['platform']})"


def _versions() -> dict[str, str]:
    import os
    import sys

    from millrace._native import __version__

    system = os.uname()
    return {
        "millrace": __version__,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "platform": f"{system.sysname} {system.machine}",
    }
