#!/usr/bin/env python3
"""Write crates/wire/src/schema/messages.rs from the descriptors that PyPI's opentelemetry-proto ships."""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

TARGET = Path(__file__).resolve().parent.parent / "crates/wire/src/schema/messages.rs"
SERVICES = (
    ("Trace", "trace", "v1"),
    ("Metrics", "metrics", "v1"),
    ("Logs", "logs", "v1"),
    ("Profiles", "profiles", "v1development"),
)
# Hexadecimal in OTLP/JSON, by the OTLP specification's exception to the protobuf JSON mapping.
HEX_FIELDS = {"trace_id": "Id", "span_id": "Id", "parent_span_id": "Id", "profile_id": "ProfileId"}
# Field name without its suffix -> the table of ProfilesDictionary that the value is an index into.
TABLES = {
    "mapping": "mapping_table",
    "location": "location_table",
    "function": "function_table",
    "link": "link_table",
    "attribute": "attribute_table",
    "stack": "stack_table",
}
SCALARS = {
    1: "Double", 3: "Int64", 4: "Uint64", 5: "Int32", 6: "Fixed64", 7: "Fixed32", 8: "Bool", 9: "String",
    12: "Bytes", 13: "Uint32", 16: "Sfixed64", 17: "Sint32",
}  # fmt: skip


class Field(NamedTuple):
    """One field, as the Rust table wants it."""

    number: int
    name: str
    json_name: str
    kind: str
    repeated: bool = False
    packed: bool = False
    oneof: bool = False
    presence: bool = False
    table: int | None = None


def message(name: str) -> str:
    """The kind of a field that holds the message with this full name."""
    return f"Message(&{constant(name)})"


# The error model of gRPC and HTTP answers: small, frozen, and in no package that a build should need.
GOOGLE: dict[str, list[Field]] = {
    "google.rpc.Status": [
        Field(1, "code", "code", "Int32"),
        Field(2, "message", "message", "String"),
        Field(3, "details", "details", "Message(&ANY)", repeated=True),
    ],
    "google.rpc.BadRequest": [
        Field(1, "field_violations", "fieldViolations", "Message(&BAD_REQUEST_FIELD_VIOLATION)", repeated=True),
    ],
    "google.rpc.BadRequest.FieldViolation": [
        Field(1, "field", "field", "String"),
        Field(2, "description", "description", "String"),
        Field(3, "reason", "reason", "String"),
        Field(4, "localized_message", "localizedMessage", "Message(&LOCALIZED_MESSAGE)", presence=True),
    ],
    "google.rpc.LocalizedMessage": [
        Field(1, "locale", "locale", "String"),
        Field(2, "message", "message", "String"),
    ],
    "google.rpc.RetryInfo": [Field(1, "retry_delay", "retryDelay", "Message(&DURATION)", presence=True)],
    "google.protobuf.Any": [
        Field(1, "type_url", "typeUrl", "String"),
        Field(2, "value", "value", "Bytes"),
    ],
    "google.protobuf.Duration": [
        Field(1, "seconds", "seconds", "Int64"),
        Field(2, "nanos", "nanos", "Int32"),
    ],
}


def constant(full_name: str) -> str:
    """`opentelemetry.proto.trace.v1.Span.Event` is the Rust static `SPAN_EVENT`."""
    types = [part for part in full_name.split(".") if part[0].isupper()]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "_".join(types)).upper()
    return "RPC_STATUS" if full_name == "google.rpc.Status" else words


def table_of(name: str, dictionary: Descriptor) -> int | None:
    """The number of the dictionary table that a field of this name points into, if it is an index at all."""
    if name.endswith("_strindex"):
        return int(dictionary.fields_by_name["string_table"].number)
    stem, _, suffix = name.rpartition("_")
    if suffix in {"index", "indices"} and stem in TABLES:
        return int(dictionary.fields_by_name[TABLES[stem]].number)
    if suffix in {"index", "indices"}:
        raise SystemExit(f"The field {name} looks like an index, but TABLES does not name its table; add it.")
    return None


def read_field(descriptor: FieldDescriptor, dictionary: Descriptor) -> Field:
    """One field out of a protobuf descriptor."""
    if descriptor.message_type:
        kind = message(descriptor.message_type.full_name)
    elif descriptor.enum_type:
        kind = f"Enum(&{constant(descriptor.enum_type.full_name)})"
    elif descriptor.type not in SCALARS:
        raise SystemExit(
            f"{descriptor.full_name} has the type {descriptor.type}, which schema.rs does not know; add a Kind."
        )
    else:
        kind = HEX_FIELDS.get(descriptor.name) or SCALARS[descriptor.type]
    oneof = descriptor.containing_oneof
    # `optional` scalars live in a oneof that the compiler makes up, whose name starts with an underscore.
    real_oneof = oneof is not None and not oneof.name.startswith("_")
    return Field(
        number=descriptor.number,
        name=descriptor.name,
        json_name=descriptor.json_name,
        kind=kind,
        repeated=descriptor.is_repeated,
        packed=descriptor.is_packed,
        oneof=real_oneof,
        presence=descriptor.has_presence and not descriptor.is_repeated,
        table=table_of(descriptor.name, dictionary),
    )


def collect() -> tuple[dict[str, list[Field]], dict[str, list[tuple[int, str]]]]:
    """Every message and enum reachable from the eight Export messages."""
    dictionary = import_module("opentelemetry.proto.profiles.v1development.profiles_pb2").ProfilesDictionary.DESCRIPTOR
    messages: dict[str, list[Field]] = {}
    enums: dict[str, list[tuple[int, str]]] = {}

    def visit(descriptor: Descriptor) -> None:
        if descriptor.full_name in messages:
            return
        oneofs = [oneof for oneof in descriptor.oneofs if not oneof.name.startswith("_")]
        if len(oneofs) > 1:
            raise SystemExit(
                f"{descriptor.full_name} has {len(oneofs)} oneofs; Field::oneof in schema.rs knows one only."
            )
        fields = sorted(descriptor.fields, key=lambda field: field.number)
        messages[descriptor.full_name] = [read_field(field, dictionary) for field in fields]
        for field in fields:
            if field.enum_type:
                enums[field.enum_type.full_name] = [(value.number, value.name) for value in field.enum_type.values]
            if field.message_type:
                visit(field.message_type)

    for stem, package, api in SERVICES:
        module = import_module(f"opentelemetry.proto.collector.{package}.{api}.{package}_service_pb2")
        for direction in ("Request", "Response"):
            visit(getattr(module, f"Export{stem}Service{direction}").DESCRIPTOR)
    return {**messages, **GOOGLE}, enums


def render_message(name: str, fields: list[Field]) -> str:
    """The Rust static of one message."""
    places = [0] * (max((field.number for field in fields), default=-1) + 1)
    for place, field in enumerate(fields, start=1):
        places[field.number] = place
    lines = [
        f"/// `{name}`",
        f"pub static {constant(name)}: Message = Message {{",
        f'    name: "{name}",',
        "    fields: &[",
    ]
    for field in fields:
        settings = [
            f"number: {field.number}",
            f'name: "{field.name}"',
            f'json_name: "{field.json_name}"',
            f"kind: Kind::{field.kind}",
            *(f"{flag}: true" for flag in ("repeated", "packed", "oneof", "presence") if getattr(field, flag)),
            *([] if field.table is None else [f"table: Some({field.table})"]),
        ]
        lines.append(f"        Field {{ {', '.join(settings)}, ..Field::PLAIN }},")
    lines += ["    ],", f"    places: &{places},", "};", ""]
    return "\n".join(lines)


def render() -> str:
    """The whole Rust file."""
    messages, enums = collect()
    names = [constant(name) for name in (*messages, *enums)]
    if len(set(names)) != len(names):
        shared = sorted(name for name in names if names.count(name) > 1)
        raise SystemExit(f"Two types share a Rust name: {shared}; rename one in constant().")
    source = f"opentelemetry-proto {version('opentelemetry-proto')}"
    parts = [
        f"//! Generated by `scripts/generate_schema.py` from {source}; do not edit.\n",
        "use super::{Enum, Field, Kind, Message};\n",
    ]
    parts += [render_message(name, fields) for name, fields in messages.items()]
    for name, values in enums.items():
        body = "\n".join(f'        ({number}, "{label}"),' for number, label in values)
        parts.append(
            f"/// `{name}`\npub static {constant(name)}: Enum = Enum {{\n"
            f'    name: "{name}",\n    values: &[\n{body}\n    ],\n}};\n'
        )
    return "\n".join(parts)


def main() -> int:
    """Write the table, or with --check say whether it is what the descriptors give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed file instead of writing it")
    arguments = parser.parse_args()
    text = render()
    if not arguments.check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{TARGET} is not what the descriptors give; run scripts/generate_schema.py and commit it.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
