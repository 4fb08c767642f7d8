"""Dependencies point one way: Rust crates down their layers, Python packages down to the native module."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python/millrace"

LAYER = {"wire": 0, "tracezip": 1, "columns": 1, "recorder": 1, "pipeline": 2, "python": 3}
"""A crate sees only those of the layers below its own, never a sibling."""

FLOOR = {"_native", "errors"}
PLAIN = {*FLOOR, "otlp", "files", "zstd", "endpoint", "exporter", "search"}
FACES = {"gateway", "store", "api", "sdk"}
MAY_IMPORT = {
    "__main__": {"cli"},
    "cli": PLAIN | FACES | {"bootstrap"},
    "bootstrap": FLOOR | {"telemetry"},
    "distro": {"telemetry"},
    "telemetry": FLOOR | {"sdk", "declarative"},  # the SDK in one call
    "declarative": FLOOR | {"sdk", "endpoint", "exporter", "gateway"},  # reads its file as a gateway reads its own
    "integrations": FLOOR | {"sdk"},
    "__init__": PLAIN | FACES | {"telemetry"},  # by name, when it is first used
    **dict.fromkeys(FACES, PLAIN),
    "files": FLOOR | {"otlp", "zstd"},
    "otlp": FLOOR,
    "endpoint": FLOOR,
    "exporter": FLOOR,
    "zstd": FLOOR,
    "search": set[str](),
    "errors": set[str](),
    "_native": set[str](),
}
"""What each part of `millrace` may import beside itself; no face sees another."""


def imports_of(source: Path) -> Iterator[str]:
    """The parts of `millrace` that a file imports when it runs; names for the type checker alone do not count."""
    tree = ast.parse(source.read_text())
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    unseen = {id(inner) for block in typing for inner in ast.walk(block)}
    here = ["millrace", *source.relative_to(PACKAGE).parts[:-1]]
    for node in (node for node in ast.walk(tree) if id(node) not in unseen):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            names = [".".join([*start, *filter(None, [node.module]), alias.name]) for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("millrace."))


@pytest.mark.parametrize("manifest", sorted((ROOT / "crates").glob("*/Cargo.toml")), ids=lambda path: path.parent.name)
def test_a_crate_depends_only_on_lower_layers(manifest: Path) -> None:
    tables = tomllib.loads(manifest.read_text())
    needs = {name for kind, table in tables.items() if kind.endswith("dependencies") for name in table}
    ours = {name.removeprefix("millrace-") for name in needs if name.startswith("millrace-")}
    assert {name for name in ours if LAYER[name] >= LAYER[manifest.parent.name]} == set()


@pytest.mark.parametrize("source", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_python_file_imports_only_what_lies_below_it(source: Path) -> None:
    part = source.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert set(imports_of(source)) - MAY_IMPORT[part] - {part, "__version__"} == set()
