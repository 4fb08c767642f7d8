"""A configuration written out in full: every default visible, every secret not."""

import json

from millrace.gateway.config.document import SERVICE, Configuration

__all__ = ["printable", "to_json", "to_yaml"]


def printable(configuration: Configuration) -> dict[str, object]:
    """Return the configuration in the vocabulary of the file, all settings included, secrets redacted."""
    written: dict[str, object] = {
        section: {name: component.settings.write(values) for name, (component, values) in components.items()}
        for section, components in configuration.sections.items()
        if components
    }
    return written | {"service": SERVICE.write(configuration.service)}


def to_json(configuration: Configuration) -> str:
    """Return it as indented JSON."""
    return json.dumps(printable(configuration), indent=2, ensure_ascii=False)


def to_yaml(configuration: Configuration) -> str:
    """Return it as YAML that `load` reads back."""
    import yaml  # noqa: PLC0415 - only this function needs it

    text: str = yaml.safe_dump(printable(configuration), sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")
