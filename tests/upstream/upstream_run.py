"""The pytest plugin of a run of upstream's tests: writes down how each test ended."""

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import aliased_sdk  # type: ignore[import-not-found] # on the path of the run
import pytest

_REPORT = "UPSTREAM_REPORT"

outcomes: dict[str, tuple[str, str]] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:  # noqa: ANN401 - a generator, as pytest wants it
    """Write down how a test ended, or a part of it."""
    report = yield
    outcome, reason = "passed", ""
    if call.excinfo is not None:
        outcome, reason = _ended_by(call.excinfo.value, call.excinfo.tb)
        reason = " ".join(reason.split())[:300]
    elif report.failed:
        outcome, reason = "failed", " ".join(str(report.longrepr).split())[:300]
    before = outcomes.get(item.nodeid, ("passed", ""))
    if before[0] == "passed" or (outcome == "failed" and before[0] != "failed"):
        outcomes[item.nodeid] = (outcome, reason)
    return report


def _ended_by(error: BaseException, tb: TracebackType) -> tuple[str, str]:
    if isinstance(error, pytest.skip.Exception):
        private = str(error).startswith(aliased_sdk.ONLY_UPSTREAM)
        return ("not applicable" if private else "skipped"), str(error)
    private_name = _private_name(error, tb)
    if private_name is not None:
        return "not applicable", aliased_sdk.ONLY_UPSTREAM + private_name
    return "failed", f"{type(error).__name__}: {error}"


def _private_name(error: BaseException, tb: TracebackType) -> str | None:
    """Return the private attribute that the test itself asked one of our objects for."""
    if not isinstance(error, AttributeError):
        return None
    while tb.tb_next is not None:
        tb = tb.tb_next
    where = Path(tb.tb_frame.f_code.co_filename)
    if where.name == "mock.py" and "does not have the attribute '_" in str(error):
        return str(error).split("'")[-2]
    if "tests" not in where.parts or "opentelemetry_sdk-" not in str(where):
        return None
    name = error.name or ""
    return f"{type(error.obj).__name__}.{name}" if name.startswith("_") and not name.startswith("__") else None


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Write down a file that could not be read."""
    if report.skipped and isinstance(report.longrepr, tuple):
        outcomes[report.nodeid] = ("not applicable", report.longrepr[2].removeprefix("Skipped: "))
    elif report.failed:
        outcomes[report.nodeid] = ("failed", str(report.longrepr)[-300:])


def pytest_sessionfinish() -> None:
    """Write the report, unless tests that were meant for our SDK have met a module of upstream's."""
    modules = {name: module for name, module in sys.modules.items() if f"{name}.".startswith("opentelemetry.sdk.")}
    if aliased_sdk.is_installed():
        met = [name for name, module in modules.items() if "opentelemetry/sdk" in str(getattr(module, "__file__", ""))]
        assert not met, f"these modules are upstream's, not ours: {met}"
    Path(os.environ[_REPORT]).write_text(json.dumps(outcomes, indent=1), encoding="utf-8")
