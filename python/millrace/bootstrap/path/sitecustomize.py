"""Python runs this before a program that `millrace run` starts, and before each Python process that it starts in turn.

It stands first on PYTHONPATH, so it also runs the `sitecustomize` that it hides.
"""

import os
import sys


def _run_hidden_sitecustomize() -> None:
    from importlib.machinery import PathFinder  # noqa: PLC0415 - this name must not stay in the program's way
    from importlib.util import module_from_spec  # noqa: PLC0415 - as above

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not loaded yet
    others = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]  # noqa: PTH100 - as above
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _start() -> None:
    try:
        from millrace.bootstrap.start import start  # noqa: PLC0415 - another interpreter may not have it
    except ImportError as error:
        print(f"millrace run: {sys.executable} has no millrace ({error}): nothing is recorded here", file=sys.stderr)  # noqa: T201 - nobody else says it
        return
    start()


_run_hidden_sitecustomize()
_start()
