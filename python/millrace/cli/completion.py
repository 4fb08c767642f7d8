"""Print a script that completes commands and options in a shell."""

import argparse

from millrace.cli.arguments import Parser, add_color
from millrace.cli.codes import DONE

HELP = "print the completion script of a shell"

_EPILOG = """\
examples:
  millrace completion bash > ~/.local/share/bash-completion/completions/millrace
  millrace completion zsh > "${fpath[1]}/_millrace"
  millrace completion tcsh >> ~/.tcshrc
"""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell")
    add_color(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from millrace.cli import build_parser

    print(shtab.complete(build_parser(), arguments.shell))
    return DONE
