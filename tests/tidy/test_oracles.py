"""What other people's protobuf and gRPC code is for here: to be the oracle of tests, never a part of what is built."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORACLES = {"opentelemetry-proto", "prost", "prost-types", "tonic", "tonic-types"}


@pytest.mark.parametrize("manifest", sorted(ROOT.glob("crates/*/Cargo.toml")), ids=lambda path: path.parent.name)
def test_a_crate_is_built_without_the_oracles_of_its_tests(manifest: Path) -> None:
    tables = tomllib.loads(manifest.read_text())
    built = {*tables.get("dependencies", {}), *tables.get("build-dependencies", {})}

    assert built.isdisjoint(ORACLES)
