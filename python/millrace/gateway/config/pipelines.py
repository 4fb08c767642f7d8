"""`service.pipelines`: which receiver feeds which exporter, checked against what is defined."""

import re
from collections.abc import Mapping

from millrace.exporter import SIGNAL_PATHS
from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.kinds import Kind, ListOf, Schema, describe
from millrace.gateway.config.problems import Problems, nearest
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.tree import Node, Scalar, Section

__all__ = ["ComponentId", "Pipelines", "check_cycle", "check_pipelines", "resolve_pipelines", "split_id"]

SIGNALS = tuple(SIGNAL_PATHS)

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_NAME_LENGTH_MAX = 1_024


def split_id(text: str) -> tuple[str, str] | None:
    """Take `kind/name` apart; return `None` when it is not the id of a component or pipeline."""
    kind, slash, name = (part.strip() for part in text.partition("/"))
    good_name = name.isprintable() and len(name) <= _NAME_LENGTH_MAX and bool(name) == bool(slash)
    return (kind, name) if _KIND.fullmatch(kind) and good_name else None


class ComponentId(Kind):
    """The id of a component, with the place where it is named."""

    expected = "the id of a component, such as otlp or otlp/backup"

    def read(self, node: Node, problems: Problems) -> Scalar | None:
        if isinstance(node, Scalar) and split_id(node.text):
            return node
        self.reject(node, problems)
        return None

    def write(self, value: Scalar) -> str:
        return value.text

    def schema(self) -> Schema:
        return {"type": "string"}


_PIPELINE = Group(
    Setting(
        "receivers", ListOf(ComponentId(), "a list of receivers, such as [otlp]"), "Where it starts.", [], required=True
    ),
    Setting(
        "processors", ListOf(ComponentId(), "a list of processors, such as [batch]"), "What happens, in order.", []
    ),
    Setting(
        "exporters",
        ListOf(ComponentId(), "a list of exporters, such as [otlp]"),
        "Each gets everything.",
        [],
        required=True,
    ),
)


class Pipelines(Kind):
    """Pipelines by id: a signal, and `/name` where there are several of one."""

    expected = "a mapping of pipelines"

    def read(self, node: Node, problems: Problems) -> dict[str, Values] | None:
        if not isinstance(node, Section) or not node.entries:
            self.reject(node, problems, "write `traces:`, and receivers and exporters under it")
            return None
        pipelines: dict[str, Values] = {}
        for key, below in node.entries:
            parts = split_id(key.text)
            if not parts or parts[0] not in SIGNALS:
                signal = key.text.partition("/")[0]
                hint = f"an id starts with a signal, as in traces or traces/backup; {nearest(signal, SIGNALS)}"
                problems.error(key.place, f"{describe(key)} is not the id of a pipeline", hint)
            elif values := _PIPELINE.read(below, problems):
                pipelines["/".join(filter(None, parts))] = values
        return pipelines

    def write(self, value: dict[str, Values]) -> object:
        return {name: _PIPELINE.write(values) for name, values in value.items()}

    def schema(self) -> Schema:
        pattern = f"^({'|'.join(SIGNALS)})(/.+)?$"
        return {"type": "object", "patternProperties": {pattern: _PIPELINE.schema()}, "additionalProperties": False}


def check_pipelines(
    pipelines: Mapping[str, Values],
    defined: Mapping[str, Mapping[str, tuple[Component, Values]]],
    reported: set[str],
    problems: Problems,
) -> None:
    """Report what a pipeline names that is not defined, names twice, lacks, or cannot use.

    `reported` are the ids of components that could not be read: an error already says why.
    """
    for name, pipeline in pipelines.items():
        for section in ("receivers", "processors", "exporters"):
            nodes = _named(pipeline, section)
            if section != "processors" and pipeline.written(section) and pipeline[section] == []:
                problems.error(pipeline.at(section), f"a pipeline needs at least one of its {section}")
            for at, node in enumerate(nodes):
                if node.text in (earlier.text for earlier in nodes[:at]):
                    problems.error(node.place, f'"{node.text}" is named twice', "name it once")
                elif node.text not in defined[section] and node.text not in reported:
                    _report_undefined(node, section, defined, problems)
        sound = [node for node in _named(pipeline, "exporters") if node.text not in reported]
        _check_urls(name.partition("/")[0], sound, defined["exporters"], problems)


def _named(pipeline: Values, section: str) -> list[Scalar]:
    """Return the ids a pipeline names; those that could not be read are reported already."""
    return [node for node in pipeline[section] or () if node is not None]


def _report_undefined(
    node: Scalar, section: str, defined: Mapping[str, Mapping[str, object]], problems: Problems
) -> None:
    elsewhere = [other for other, components in defined.items() if node.text in components]
    hint = nearest(node.text, defined[section]) or f"define it under {section}"
    problems.error(
        node.place,
        f'"{node.text}" is not defined under {section}',
        f"it is defined under {elsewhere[0]}" if elsewhere else hint,
    )


def _check_urls(
    signal: str, named: list[Scalar], exporters: Mapping[str, tuple[Component, Values]], problems: Problems
) -> None:
    """An `otlphttp` exporter with a URL for some signals only cannot serve the others."""
    for node in named:
        if node.text not in exporters:
            continue
        component, values = exporters[node.text]
        if component.kind == "otlphttp" and values and not (values["endpoint"] or values[f"{signal}_endpoint"]):
            hint = f"set endpoint or {signal}_endpoint of exporters.{node.text}"
            problems.error(node.place, f'"{node.text}" has no URL for {signal}', hint)


def check_cycle(pipelines: Mapping[str, Values], connectors: set[str], problems: Problems) -> None:
    """Name the cycle that connectors would form: it explains more than their absence does."""
    out = {name: connectors & {node.text for node in _named(line, "exporters")} for name, line in pipelines.items()}
    into = {name: connectors & {node.text for node in _named(line, "receivers")} for name, line in pipelines.items()}
    feeds = {name: [other for other in pipelines if out[name] & into[other]] for name in pipelines}
    for start in pipelines:
        if cycle := _path_back(start, feeds):
            hint = "millrace has no connectors, so that no pipeline feeds another"
            problems.error(pipelines[start].at("exporters"), f"a cycle of pipelines: {' -> '.join(cycle)}", hint)
            return


def _path_back(start: str, feeds: dict[str, list[str]]) -> list[str] | None:
    trails = [[start]]
    seen: set[str] = set()
    while trails:
        trail = trails.pop()
        for following in feeds[trail[-1]]:
            if following == start:
                return [*trail, start]
            if following not in seen:
                seen.add(following)
                trails.append([*trail, following])
    return None


def resolve_pipelines(pipelines: Mapping[str, Values]) -> list[Resolved]:
    """Return the pipelines as the engine reads them."""
    return [
        {
            "id": name,
            "signal": name.partition("/")[0],
            "receivers": [node.text for node in pipeline["receivers"]],
            "processors": [node.text for node in pipeline["processors"]],
            "exporters": [node.text for node in pipeline["exporters"]],
        }
        for name, pipeline in pipelines.items()
    ]
