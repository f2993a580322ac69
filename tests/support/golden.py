"""What each message looked like in a release: `python -m tests.support.golden` before one is made.

The file of a release is never written anew: later models must read what it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.generate import messages
from shared.contracts.message import Message
from shared.version import VERSION

FOLDER = Path(__file__).parents[1] / "unit" / "shared" / "contracts" / "golden"
#: Text that most kinds of names and ids allow, and those of which a field wants more.
_TEXT = "a1"
_TEXTS = {"path": "/a"}


def main() -> None:
    """Write the file of the release that this tree is."""
    path = FOLDER / f"{VERSION}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    written = {model.TYPE: body for model, body in examples() if model.TYPE not in kept}
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps({**kept, **written}, indent=1, sort_keys=True) + "\n")


def examples() -> Iterator[tuple[type[Message], dict[str, Any]]]:
    """Yield each message with a body in which every field is set."""
    for model in messages():
        schema = model.model_json_schema(mode="validation")
        body = _value(schema, schema.get("$defs", {}))
        yield model, json.loads(model.model_validate(body).model_dump_json())


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in schema.get("anyOf", schema.get("oneOf", schema.get("allOf", ()))):
        if choice.get("type") != "null":
            return _value(choice, definitions)
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, definitions)
    if kind == "array":
        items = schema.get("prefixItems", [schema.get("items", {})])
        return [_value(item, definitions) for item in items]
    return _plain(kind, schema)


def _object(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "properties" in schema:
        return {
            name: _TEXTS[name]
            if name in _TEXTS and field.get("type") == "string"
            else _value(field, definitions)
            for name, field in schema["properties"].items()
        }
    values = schema.get("additionalProperties")
    return {_TEXT: _value(values, definitions)} if isinstance(values, dict) else {}


def _plain(kind: str | None, schema: dict[str, Any]) -> Any:
    match kind:
        case "integer":
            return max(7, schema.get("minimum", 7))
        case "number":
            return 1.5
        case "boolean":
            return True
        case "string":
            return _TEXT
        case _:
            return None


if __name__ == "__main__":
    main()
