"""The wheel, installed into an empty environment: what it brings with it, and that it works there."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)  # Rust may have to be compiled first


def output_of(*command: str | Path, **variables: str) -> str:
    """Run a command and return what it printed."""
    environment = os.environ | variables
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make wheel` builds it; Rust is compiled already, so this packs."""
    folder = tmp_path_factory.mktemp("dist")
    # This interpreter, in this environment: another would have Rust compiled anew for it.
    options: list[str | Path] = ["--release", "--interpreter", sys.executable, "--quiet", "--out", folder]
    output_of(sys.executable, "-m", "maturin", "build", *options, VIRTUAL_ENV=sys.prefix)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which nothing but the wheel was asked for."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    output_of(folder / "bin/python", "-m", "pip", "install", "--quiet", wheel)
    return folder / "bin"


def test_a_wheel_is_built_for_one_version_of_python(wheel: Path) -> None:
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{version}-{version}" in wheel.name


def test_the_wheel_brings_the_api_and_two_small_libraries_and_nothing_else(environment: Path) -> None:
    listing = output_of(environment / "python", "-m", "pip", "list", "--format", "json")
    installed = {package["name"].lower() for package in json.loads(listing)}
    installed = {name.replace("_", "-") for name in installed} - {"pip", "setuptools"}
    assert installed == {"millrace", "pyyaml", "shtab", "opentelemetry-api", "typing-extensions"}


def test_the_installed_command_answers(environment: Path) -> None:
    assert "0.1.0" in output_of(environment / "millrace", "version")


def test_the_installed_package_is_typed_and_has_its_native_module(environment: Path) -> None:
    program = "import millrace._native as n, pathlib; print(pathlib.Path(n.__file__).with_name('py.typed').exists())"
    assert output_of(environment / "python", "-c", program) == "True\n"


@pytest.mark.skipif(shutil.which("npm") is None, reason="without Node.js and npm there is no page to pack")
def test_the_wheel_has_the_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "millrace/api/static/index.html" in names
    assert any(re.fullmatch(r"millrace/api/static/assets/index-.*\.js", name) for name in names)
