"""Answers held against the schemas of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_KNOWN = frozenset(
    {"type", "enum", "anyOf", "$ref", "required", "properties", "additionalProperties", "items"}
)


def differences(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Return where a value is not as a schema has it."""
    return list(_differences(document, schema, value, "$"))


def named(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the one that it refers to."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/components/schemas/")
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def _differences(
    document: dict[str, Any], schema: dict[str, Any], value: Any, at: str
) -> Iterator[str]:
    schema = named(document, schema)
    unknown = set(schema) - _KNOWN
    assert not unknown, f"this looks at no {unknown}"
    if "anyOf" in schema:
        found = [list(_differences(document, one, value, at)) for one in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)
        return
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if value not in schema.get("enum", [value]):
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        yield from _of_object(document, schema, value, at)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _differences(document, schema.get("items", {}), item, f"{at}[{number}]")


def _of_object(
    document: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], at: str
) -> Iterator[str]:
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{at}.{key}: is not there"
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    for key, item in value.items():
        yield from _differences(document, properties.get(key, others), item, f"{at}.{key}")


def _is(value: Any, kind: str) -> bool:
    # Python's booleans are numbers; JSON's are not.
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
