"""The reference of all settings as Markdown, from the same description that reads them."""

from collections.abc import Iterator

from millrace.gateway.config.catalog import SECTIONS
from millrace.gateway.config.document import SERVICE
from millrace.gateway.config.kinds import Ignored, Kind, ListOf, Unsupported
from millrace.gateway.config.settings import Group, Setting

__all__ = ["markdown"]


def markdown() -> str:
    """Return one section for each component: its settings, then what the Collector has and millrace does not."""
    lines: list[str] = []
    for section, components in SECTIONS.items():
        lines += [f"## {section}", ""]
        for component in components:
            also = f" (also `{'`, `'.join(component.aliases)}`)" if component.aliases else ""
            lines += [f"### `{component.kind}`{also}", "", component.doc, "", *_tables(component.settings)]
    lines += ["## service", "", *_tables(SERVICE)]
    return "\n".join(lines).rstrip() + "\n"


def _tables(group: Group) -> list[str]:
    settings = list(_flat(group, ""))
    own = [(path, setting) for path, setting in settings if not isinstance(setting.kind, Ignored | Unsupported)]
    lines = []
    if own:
        lines += ["| setting | default | what it does |", "|---|---|---|"]
        lines += [f"| `{path}` | {_default(setting)} | {_doc(setting)} |" for path, setting in own]
        lines.append("")
    for title, kind in (("Accepted without effect", Ignored), ("Refused", Unsupported)):
        others = [(path, setting.kind) for path, setting in settings if isinstance(setting.kind, kind)]
        if others:
            lines += [f"{title}:", ""]
            lines += [f"- `{path}`: {other.reason}" for path, other in others if isinstance(other, kind)]
            lines.append("")
    return lines


def _flat(group: Group, prefix: str) -> Iterator[tuple[str, Setting]]:
    for setting in group.settings.values():
        inner = _inner(setting.kind)
        path = f"{prefix}{setting.name}"
        if inner is None:
            yield path, setting
            continue
        if inner.optional:
            yield path, setting
        yield from _flat(inner, f"{path}[]." if isinstance(setting.kind, ListOf) else f"{path}.")


def _inner(kind: Kind) -> Group | None:
    if isinstance(kind, ListOf):
        kind = kind.kind
    return kind if isinstance(kind, Group) else None


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    if setting.default is None:
        return ""
    value = setting.kind.write(setting.default)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ("", {}, []) else ""


def _doc(setting: Setting) -> str:
    return setting.doc + (" Not in the Collector." if setting.ours else "")
