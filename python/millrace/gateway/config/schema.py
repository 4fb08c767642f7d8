"""The JSON Schema of a configuration file, for editors and other tools."""

from millrace.gateway.config.catalog import SECTIONS
from millrace.gateway.config.document import SERVICE
from millrace.gateway.config.kinds import Schema

__all__ = ["json_schema"]


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    properties: Schema = {}
    for section, components in SECTIONS.items():
        patterns = {}
        for component in components:
            kinds = "|".join((component.kind, *component.aliases))
            patterns[f"^({kinds})(/.+)?$"] = component.settings.schema() | {"description": component.doc}
        properties[section] = {
            "type": ["object", "null"],
            "patternProperties": patterns,
            "additionalProperties": False,
        }
    properties["service"] = SERVICE.schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a millrace gateway",
        "type": "object",
        "properties": properties,
        "required": ["service"],
        "additionalProperties": False,
    }
