"""Every test of the SDK begins without the variables of the machine it runs on."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "MILLRACE_"))]:
        monkeypatch.delenv(name)
