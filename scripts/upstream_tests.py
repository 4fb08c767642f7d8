"""Runs upstream's own tests over our SDK, and writes how each file fared to docs/upstream-tests.md.

The tests come out of the source distributions on PyPI, pinned by their hashes. They run twice: over the SDK they were
written for, to know which of them say anything on this machine, and over ours in its place (tests/upstream).
`--check` writes nothing, and fails when the table is not what the run has shown, or a miss has no reason.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "tests/upstream"
DOCUMENT = ROOT / "docs/upstream-tests.md"
SOURCES = ROOT / "build/upstream"
RELEASE = "1.45.1"
PACKAGES = ("opentelemetry_sdk", "opentelemetry_api")
TEST_TIMEOUT_S = 60
RUN_TIMEOUT_S = 540

Outcomes = dict[str, tuple[str, str]]
KINDS = {
    "private": "not applicable",
    "difference": "failed",
    "missing": "failed",
    "defect": "failed",
}
"""How a test counts whose reason is of a kind."""

INTRODUCTION = f"""# Upstream's own tests over our SDK

The tests of `opentelemetry-sdk` and `opentelemetry-api` {RELEASE}, out of their source distributions, run with
`millrace.sdk` in the place of `opentelemetry.sdk`. `make upstream` runs them and writes this page; the reasons are in
`tests/upstream/reasons.toml`.

A test counts as not applicable when it uses what only upstream has and promises to nobody: a private name, a private
attribute, or a replaced internal. No test ever runs upstream's SDK unnoticed: a name that ours lacks ends the test.
Tests that fail over the stock SDK on the same machine, or are skipped there, are left out.
"""


def main() -> int:
    """Run, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the table is out of date")
    options = parser.parse_args()
    fetch()
    reasons = tomllib.loads((PLUGIN / "reasons.toml").read_text(encoding="utf-8"))["miss"]
    found = {package: outcomes(package) for package in PACKAGES}
    text, problems = render(found, reasons)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not options.check:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif DOCUMENT.read_text(encoding="utf-8") != text:
        problems.append("docs/upstream-tests.md is out of date: run `make upstream`")
        print(problems[-1], file=sys.stderr)
    print(text.split("\n## ")[1].split("\n\n", 1)[1].split("\n\n")[0])
    return 1 if problems else 0


def fetch() -> None:
    """Download the source distributions, whose hashes pip verifies, and unpack them."""
    if all((SOURCES / f"{name}-{RELEASE}").is_dir() for name in PACKAGES):
        return
    sources = ",".join(name.replace("_", "-") for name in PACKAGES)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", sources]
    command += ["--require-hashes", "-r", str(PLUGIN / "requirements.txt"), "--dest", str(SOURCES)]
    subprocess.run(command, check=True)
    for name in PACKAGES:
        with tarfile.open(SOURCES / f"{name}-{RELEASE}.tar.gz") as archive:
            archive.extractall(SOURCES, filter="data")


def outcomes(package: str) -> Outcomes:
    """Return how each test fares over ours, of those that pass over the stock SDK."""
    stock = run(package, aliased=False)
    ours = run(package, aliased=True)
    found: Outcomes = {}
    for test, (outcome, _) in stock.items():
        if outcome == "passed":
            # A file that could not be read says why for all its tests.
            found[test] = ours.get(test) or ours.get(test.split("::")[0]) or ("failed", "it did not run")
    return found


def run(package: str, *, aliased: bool) -> Outcomes:
    """Run the tests of a package in a process of its own."""
    where = SOURCES / f"{package}-{RELEASE}"
    report = SOURCES / f"{package}-{'ours' if aliased else 'stock'}.json"
    report.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    path = [ROOT / "python", PLUGIN, *([PLUGIN / "aliased_interpreter"] if aliased else [])]
    environment |= {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "UPSTREAM_REPORT": str(report),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-c", "pyproject.toml", "--rootdir", ".", "-p", "upstream_run"]
    command += ["-p", "no:cacheprovider", "--continue-on-collection-errors", f"--timeout={TEST_TIMEOUT_S}", "tests"]
    log = report.with_suffix(".log")
    with log.open("wb") as output:
        subprocess.run(
            command, cwd=where, env=environment, stdout=output, stderr=output, timeout=RUN_TIMEOUT_S, check=False
        )
    if not report.exists():
        raise SystemExit(f"the tests of {package} did not finish: see {log}")
    return {test: (outcome, reason) for test, (outcome, reason) in json.loads(report.read_text()).items()}


def render(found: dict[str, Outcomes], reasons: list[dict[str, str]]) -> tuple[str, list[str]]:
    """Return the document, and what is wrong with the reasons."""
    used: set[int] = set()
    problems: list[str] = []
    totals: Counter[str] = Counter()
    rows: list[str] = []
    misses: dict[tuple[str, str], list[str]] = {}
    private: Counter[str] = Counter()
    for package, tests in found.items():
        for file, counts in sorted(by_file(package, tests, reasons, used, misses, private, problems).items()):
            totals += counts
            rows.append(row(f"{package.removeprefix('opentelemetry_')}: {file}", counts))
    stale = [reason for number, reason in enumerate(reasons) if number not in used]
    problems += [f"{reason['test']}: has a reason, and is no miss any more" for reason in stale]
    applicable = totals["passed"] + totals["failed"]
    share = 100 * totals["passed"] / applicable if applicable else 0.0
    heading = "| file | passed | failed | not applicable |\n|---|---:|---:|---:|"
    parts = [
        INTRODUCTION,
        "## Totals",
        (
            f"{totals['passed']} passed, {totals['failed']} failed, {totals['not applicable']} not applicable: "
            f"{share:.1f} % of the {applicable} that apply."
        ),
        "## Files",
        "\n".join([heading, *rows]),
        "## Misses",
        "\n".join(miss_lines(misses)),
        "## What only upstream has",
        "\n".join(["| name | tests |", "|---|---:|", *(f"| `{name}` | {n} |" for name, n in sorted(private.items()))]),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n", problems


def by_file(  # noqa: PLR0913, PLR0917 - the document's parts, filled together
    package: str,
    tests: Outcomes,
    reasons: list[dict[str, str]],
    used: set[int],
    misses: dict[tuple[str, str], list[str]],
    private: Counter[str],
    problems: list[str],
) -> dict[str, Counter[str]]:
    """Count the outcomes of each file, and note the reason of each miss."""
    files: dict[str, Counter[str]] = {}
    for test, (outcome, said) in tests.items():
        name = test.removeprefix("tests/")
        counted = outcome
        if outcome == "failed":
            number = next((n for n, reason in enumerate(reasons) if fnmatchcase(name, reason["test"])), None)
            if number is None:
                problems.append(f"{name}: failed, and tests/upstream/reasons.toml has no reason: {said}")
            else:
                used.add(number)
                kind, why = reasons[number]["kind"], reasons[number]["reason"]
                counted = KINDS[kind]
                misses.setdefault((kind, why), []).append(f"{package.removeprefix('opentelemetry_')}: {name}")
        elif outcome in {"not applicable", "skipped"}:
            counted = "not applicable"
            private[group(said.removeprefix("only upstream has "))] += 1
        files.setdefault(name.split("::")[0], Counter())[counted] += 1
    return files


def group(name: str) -> str:
    """Return the module or class that a missing name belongs to."""
    parts = name.split(".")
    return ".".join(parts[:4]) if parts[0] == "opentelemetry" else name


def row(name: str, counts: Counter[str]) -> str:
    """Return a line of the table."""
    return f"| {name} | {counts['passed']} | {counts['failed']} | {counts['not applicable']} |"


def miss_lines(misses: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    """Return the misses, grouped by their reason."""
    for (kind, why), tests in sorted(misses.items()):
        yield f"- **{kind}**: {why}"
        yield from (f"  - `{test}`" for test in sorted(tests))


if __name__ == "__main__":
    sys.exit(main())
