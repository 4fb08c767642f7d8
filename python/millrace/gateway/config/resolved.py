"""What the engine reads: the components in use, with every default, sizes in bytes and times in milliseconds."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.endpoints import listen_address
from millrace.gateway.config.pipelines import resolve_pipelines
from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.sending import MEBIBYTE
from millrace.gateway.config.settings import Values
from millrace.gateway.config.telemetry import prometheus_address, resolve_telemetry

__all__ = ["Sections", "check_files", "check_listeners", "resolve", "used_components"]

Sections: TypeAlias = Mapping[str, Mapping[str, tuple[Component, Values]]]
"""Components by section and id."""

_EVERY_ADDRESS = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 - compared, not bound


def used_components(sections: Sections, service: Values, problems: Problems) -> Sections:
    """Return the components that `service` names; warn of the others, which the Collector does not start either."""
    named = {"extensions": {node.text for node in service["extensions"]}}
    for section in ("receivers", "processors", "exporters"):
        named[section] = {node.text for pipeline in service["pipelines"].values() for node in pipeline[section]}
    used = {}
    for section, components in sections.items():
        used[section] = {name: component for name, component in components.items() if name in named[section]}
        for name in components.keys() - named[section]:
            where = "service.extensions" if section == "extensions" else "a pipeline"
            place = components[name][1].place._replace(setting=f"{section}.{name}")
            problems.warn(place, "is defined and not used", f"name it in {where}, or remove it")
    return used


def resolve(used: Sections, service: Values, problems: Problems) -> Resolved:
    """Return the whole configuration as the engine reads it."""
    from millrace._native import __version__  # noqa: PLC0415 - a faulty file is reported without loading the engine

    sections: Resolved = {
        section: {name: component.resolve(values, problems) for name, (component, values) in components.items()}
        for section, components in used.items()
    }
    return sections | {
        "pipelines": resolve_pipelines(service["pipelines"]),
        "telemetry": resolve_telemetry(service["telemetry"], __version__, problems),
        "workers": service["workers"],
        "budget_bytes": service["budget_mib"] * MEBIBYTE,
        "admission_timeout_ms": service["admission_timeout"],
        "shutdown_timeout_ms": service["shutdown_timeout"],
    }


def check_listeners(used: Sections, service: Values, problems: Problems) -> None:
    """Report two listeners on one port: only one of them could start."""
    taken: dict[str, list[tuple[str, Place]]] = {}
    for place, address in _listeners(used, service):
        host, _, port = listen_address(address).rpartition(":")
        if port == "0":
            continue
        for other_host, other in taken.setdefault(port, []):
            if host == other_host or {host, other_host} & _EVERY_ADDRESS:
                line = f" on line {other.line}" if other.line else ""
                problems.error(
                    place, f"{address} is taken by {other.setting}{line}", "give one of the two another port"
                )
                break
        taken[port].append((host, place))


def check_files(used: Sections, problems: Problems) -> None:
    """Report two exporters that write to one file, whatever they call it: each would overwrite the other's requests."""
    taken: dict[object, Place] = {}
    for component, values in used["exporters"].values():
        if component.kind != "file" or (identity := _file_identity(values["path"])) is None:
            continue
        place = values.at("path")
        if other := taken.get(identity):
            line = f" on line {other.line}" if other.line else ""
            hint = "give each exporter a file of its own, or name one exporter in several pipelines"
            problems.error(place, f"{other.setting}{line} writes to the same file", hint)
        taken.setdefault(identity, place)


def _file_identity(path: str) -> object:
    """Return what tells a file under each of its names; nothing for devices and pipes, which can be shared."""
    file = Path(path)
    try:
        if not file.exists():
            return file.resolve()
        status = file.stat()
        return (status.st_dev, status.st_ino) if file.is_file() else None
    except (OSError, RuntimeError):  # the engine says why it cannot be opened
        return None


def _listeners(used: Sections, service: Values) -> Iterator[tuple[Place, str]]:
    for component, values in used["receivers"].values():
        for protocol in filter(None, values["protocols"].values()) if component.kind == "otlp" else ():
            yield protocol.at("endpoint"), protocol["endpoint"]
    for _, values in used["extensions"].values():
        yield values.at("endpoint"), values["endpoint"]
    metrics = service["telemetry"]["metrics"]
    if metrics["level"] == "none":
        return
    if metrics["address"]:
        yield metrics.at("address"), metrics["address"]
    for reader in metrics["readers"] or ():
        for prometheus in filter(None, reader["pull"]["exporter"].values() if reader["pull"] else ()):
            yield prometheus.at("port"), prometheus_address(prometheus)
