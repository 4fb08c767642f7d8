"""Configures the SDK and instruments what is installed, in a process that `millrace run` started."""

import logging
import os
import sys

from millrace.bootstrap.instrument import Outcome, instrument_everything

__all__ = ["ANNOUNCED", "QUIET", "start"]

ANNOUNCED = "MILLRACE_RUN_ANNOUNCED"
"""Set once a process of this run has said what it instruments: reloaders and workers would only repeat it."""
QUIET = "MILLRACE_RUN_QUIET"

_LOGGING = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
_LOGGING_PACKAGE = "opentelemetry-instrumentation-logging"

_log = logging.getLogger("millrace")


def start() -> None:
    """Configure and instrument. Nothing here keeps the program from running."""
    own_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")  # noqa: PTH100, PTH118, PTH120 - faster to start
    python_path = os.environ.get("PYTHONPATH", "")
    # What is imported here may start processes of its own; they are none of the program's.
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in python_path.split(os.pathsep) if part != own_path)
    try:
        import millrace  # noqa: PLC0415 - the guard below is for this, too

        telemetry = millrace.configure()
        outcomes = instrument_everything()
        if not os.environ.get(QUIET) and not os.environ.get(ANNOUNCED):
            os.environ[ANNOUNCED] = "1"
            _announce(telemetry.assembly.summary, outcomes)
    except Exception:  # noqa: BLE001 - the program must run
        _log.exception("millrace run: the program runs without telemetry")
    finally:
        os.environ["PYTHONPATH"] = python_path


def _announce(summary: str, outcomes: list[Outcome]) -> None:
    lines = [summary]
    if "'unknown_service" in summary:
        lines.append("the service has no name yet: --service-name NAME or OTEL_SERVICE_NAME gives it one")
    done = [outcome.name for outcome in outcomes if outcome.problem is None]
    lines.append(f"instrumented: {', '.join(done) or 'nothing'}")
    lines += [f"not instrumented: {outcome.name} ({outcome.problem})" for outcome in outcomes if outcome.problem]
    if outcomes and "logging" not in {outcome.name for outcome in outcomes} and not os.environ.get(_LOGGING):
        lines.append(f"what the program logs is not recorded: pip install {_LOGGING_PACKAGE}, or {_LOGGING}=true")
    if not outcomes:
        lines.append("no instrumentation is installed: pip install opentelemetry-instrumentation-fastapi, for example")
    print("\n".join(f"millrace run: {line}" for line in lines), file=sys.stderr)  # noqa: T201 - what the person is to see
