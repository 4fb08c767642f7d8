"""The viewer's sources keep the rules of all others, and its manifests name reasons but no registry."""

import json
import re
from pathlib import Path

import pytest

VIEWER = Path(__file__).parents[2] / "viewer"
LINES_MAX = 600
OPENING = {".ts": "// ", ".svelte": "<!-- ", ".css": "/* "}
SOURCES = sorted(path for path in (VIEWER / "src").rglob("*") if path.suffix in OPENING)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(VIEWER)))
def test_a_file_of_the_viewer_says_its_one_job_and_stays_small(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(OPENING[path.suffix])
    assert text.count("\n") <= LINES_MAX


def test_s13_no_source_of_the_viewer_makes_markup_of_text() -> None:
    ways = re.compile(r"\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert [str(path) for path in SOURCES if ways.search(path.read_text())] == []


def test_every_npm_dependency_has_its_reason() -> None:
    manifest = json.loads((VIEWER / "package.json").read_text())
    needs = {*manifest["dependencies"], *manifest["devDependencies"]}
    assert needs == set(manifest["//"])


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((VIEWER / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in packages.items() if name)
