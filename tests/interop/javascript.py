"""The OpenTelemetry SDK for JavaScript, installed once per user into a cache folder, and the program that uses it."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from scripts.build_otelcol import cache_folder

SOURCES = Path(__file__).parent / "js"
INSTALL_TIMEOUT_S = 300
SEND_TIMEOUT_S = 60


class JavaScriptUnavailableError(Exception):
    """The SDK cannot be installed here; the message says what is missing and how to get it."""


def install() -> Path:
    """Return the folder of the installed client, installing it when this is the first time.

    Raises:
        JavaScriptUnavailableError: Node.js or npm is absent, or the packages could not be fetched.
    """
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        message = f"the JavaScript SDK needs {' and '.join(missing)}: install Node.js 18.19 or newer with npm"
        raise JavaScriptUnavailableError(message)
    digest = hashlib.sha256()
    for source in sorted(path for path in SOURCES.iterdir() if path.is_file()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = cache_folder() / f"otel-js-{digest.hexdigest()[:16]}"
    if not folder.exists():
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    """Install into a folder of this process and rename it, so that two installations at once cannot harm each other."""
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.copytree(SOURCES, unfinished, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        installed = subprocess.run(
            command, cwd=unfinished, check=False, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        message = f"the JavaScript SDK could not be installed within {INSTALL_TIMEOUT_S} s"
        raise JavaScriptUnavailableError(message) from error
    if installed.returncode:
        shutil.rmtree(unfinished)
        message = f"the JavaScript SDK could not be installed with npm: {installed.stderr.strip()[-300:]}"
        raise JavaScriptUnavailableError(message)
    try:
        unfinished.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)


def send(folder: Path, protocol: str, url: str) -> dict[str, Any]:
    """Send everything that `send.mjs` makes, and return what it says it has sent."""
    command = ["node", "send.mjs", protocol, url]
    sent = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=SEND_TIMEOUT_S)
    assert (sent.returncode, sent.stderr) == (0, "")
    report: dict[str, Any] = json.loads(sent.stdout)
    return report
