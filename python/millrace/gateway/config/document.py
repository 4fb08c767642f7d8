"""A whole configuration: read from a file or a mapping, checked, and resolved for the engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from millrace.gateway.config import catalog
from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.expansion import expand
from millrace.gateway.config.kinds import Duration, Integer, ListOf
from millrace.gateway.config.pipelines import ComponentId, Pipelines, check_cycle, check_pipelines, split_id
from millrace.gateway.config.problems import Place, Problem, Problems, nearest
from millrace.gateway.config.resolved import Sections, check_files, check_listeners, resolve, used_components
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.telemetry import TELEMETRY
from millrace.gateway.config.text import node_from_text
from millrace.gateway.config.tree import Node, Scalar, Section, node_from_python

__all__ = ["SERVICE", "Configuration", "load"]

FILE_BYTES_MAX = 4 << 20
"""Largest configuration file: thousands of components; more is the wrong file."""

SERVICE = Group(
    Setting("pipelines", Pipelines(), "What is connected to what.", {}, required=True),
    Setting("extensions", ListOf(ComponentId(), "a list of extensions, such as [health_check]"), "Which run.", []),
    Setting("telemetry", TELEMETRY, "What the gateway tells about itself."),
    Setting("workers", Integer(1, 1_024), "Threads; each has its own listeners and pipelines.", 1, ours=True),
    Setting("budget_mib", Integer(1, 1 << 20), "Telemetry held in memory at once, in MiB.", 256, ours=True),
    Setting("admission_timeout", Duration(), "How long a request waits for the budget.", 1_000, ours=True),
    Setting("shutdown_timeout", Duration(1), "How long a stop may take to deliver what is held.", 30_000, ours=True),
)


class Configuration(NamedTuple):
    """A configuration without errors."""

    file: str | None
    sections: Sections
    """Every component that is defined, by section and id."""
    service: Values
    resolved: Resolved
    """What the engine reads: only the components in use."""
    warnings: tuple[Problem, ...]


def load(
    source: Mapping[str, object] | str | Path,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Configuration:
    """Read, check and resolve a configuration.

    Args:
        source: A mapping, or the path of a YAML or JSON file (JSON when it ends in `.json`).
        environment: Stands in for the environment variables of the process.
        overrides: Settings that win over the source, each as `path=value`, such as `exporters.otlp.timeout=2s`.

    Raises:
        millrace.errors.ConfigError: With every error that was found.
    """
    problems = Problems(None if isinstance(source, Mapping) else str(source))
    node = node_from_python(source, problems) if isinstance(source, Mapping) else _parse(Path(source), problems)
    problems.raise_errors()
    if overrides and isinstance(node, Section):
        from millrace.gateway.config.overrides import override  # noqa: PLC0415 - few need it

        node = override(node, overrides, problems)
    root = node if node is None else expand(node, problems, environment)
    if isinstance(root, Section):
        return _load(root, problems)
    problems.error(Place("", 1), "a configuration is a mapping with receivers, exporters and service")
    raise problems.as_error()


def _parse(path: Path, problems: Problems) -> Node | None:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            problems.error(Place(), f"the file has more than {FILE_BYTES_MAX} bytes", "is it a configuration?")
            return None
        return node_from_text(content.decode("utf-8-sig"), problems, json=path.suffix == ".json")
    except OSError as error:
        problems.error(Place(), f"cannot read the file: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.error(Place("", line), "the file is not UTF-8 text")
    return None


def _load(root: Section, problems: Problems) -> Configuration:
    known = [*catalog.SECTIONS, "service"]
    for key, _ in root.entries:
        if key.text not in {*known, "connectors"}:
            problems.error(key.place, "unknown section", nearest(key.text, known))
    reported: set[str] = set()
    sections = {section: _components(section, root.get(section), reported, problems) for section in catalog.SECTIONS}
    connectors = _connectors(root.get("connectors"), problems)
    service = _service(root.get("service"), problems)
    if service is not None:
        check_pipelines(service["pipelines"] or {}, sections, reported | connectors, problems)
        check_cycle(service["pipelines"] or {}, connectors, problems)
        _check_extensions(service, sections["extensions"], reported, problems)
    if service is None or problems.errors:
        raise problems.as_error()
    used = used_components(sections, service, problems)
    check_listeners(used, service, problems)
    check_files(used, problems)
    resolved = resolve(used, service, problems)
    problems.raise_errors()
    warnings = tuple(sorted(problems.warnings, key=lambda problem: (problem.line or 0, problem.column or 0)))
    return Configuration(problems.file, sections, service, resolved, warnings)


def _service(node: Node | None, problems: Problems) -> Values | None:
    if node is None:
        hint = "add service.pipelines with receivers and exporters"
        problems.error(Place("service"), "is missing: it says what is connected to what", hint)
        return None
    return SERVICE.read(node, problems)


def _components(
    section: str, node: Node | None, reported: set[str], problems: Problems
) -> dict[str, tuple[Component, Values]]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, Section):
        problems.error(node.place, f"expected a mapping of {section}")
        return {}
    components: dict[str, tuple[Component, Values]] = {}
    for key, below in node.entries:
        parts = split_id(key.text)
        before = len(problems.errors)
        if not parts:
            hint = f"an id is a kind, or a kind and a name: {section[:-1]} or {section[:-1]}/name"
            problems.error(key.place, "not the id of a component", hint)
        elif component := catalog.find(section, parts[0], key.place, problems):
            values = component.settings.read(below, problems)
            if values is not None:
                components["/".join(filter(None, parts))] = (component, values)
        if len(problems.errors) > before:
            reported.add(key.text)
    return components


def _connectors(node: Node | None, problems: Problems) -> set[str]:
    if not isinstance(node, Section) or not node.entries:
        return set()
    hint = "let one receiver feed several pipelines, and one pipeline several exporters"
    problems.error(node.place, "millrace has no connectors: no pipeline feeds another", hint)
    return set(node.names())


def _check_extensions(
    service: Values, extensions: Mapping[str, object], reported: set[str], problems: Problems
) -> None:
    for node in filter(None, service["extensions"] or []):
        if node.text not in extensions and node.text not in reported:
            hint = nearest(node.text, extensions) or "define it under extensions"
            problems.error(node.place, f'"{node.text}" is not defined under extensions', hint)
