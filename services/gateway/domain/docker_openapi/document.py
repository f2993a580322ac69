"""The description of Docker's routes: OpenAPI 3.1."""

from __future__ import annotations

import re
from typing import Any, Final

from services.gateway.domain import api_version
from services.gateway.domain.docker_openapi.operations import OPERATIONS, Content, Operation
from services.gateway.domain.docker_openapi.schemas import SCHEMAS, STRING, ref
from shared.version import VERSION

_ABOUT: Final = (
    f"Docker's Engine API as Wherry {VERSION} serves it, and nothing that it does not. A `name` "
    "may hold slashes. What is ours beside it is described at /wherry/v1/openapi.json."
)
_STATUS: Final = {
    200: "Done",
    201: "Made",
    204: "Done",
}


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(operation.path, {})
        path[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Docker Engine API",
            "version": api_version.CURRENT,
            "description": _ABOUT,
        },
        "servers": [{"url": f"/v{api_version.CURRENT}"}, {"url": "/"}],
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _identity(operation),
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        content = _content(operation.body)
        described["requestBody"] = {"content": content, "required": operation.body.is_required}
    return described


def _identity(operation: Operation) -> str:
    """Return a name such as `post_plugins_name_enable`."""
    words = re.findall(r"\w+", operation.path)
    return "_".join([operation.method.lower(), *(word.strip("_") for word in words)])


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    placeholders = re.findall(r"\{(\w+)\}", operation.path)
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": STRING}
            for name in placeholders
        ),
        *(
            {
                "name": name,
                "in": "query",
                "required": name in operation.needed,
                "description": description,
                "schema": schema,
            }
            for name, (schema, description) in operation.query.items()
        ),
        *(
            {"name": name, "in": "header", "description": description, "schema": STRING}
            for name, description in operation.headers.items()
        ),
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    refusal = {
        "description": "Refused, or failed, for the reason in the message",
        "content": _content(Content(schema=ref("ErrorResponse"))),
    }
    if operation.status is None:
        return {"default": refusal}
    answer: dict[str, Any] = {"description": _STATUS[operation.status]}
    if operation.answer is not None:
        answer["content"] = _content(operation.answer)
    return {str(operation.status): answer, "default": refusal}


def _content(content: Content) -> dict[str, Any]:
    return {content.media_type: {"schema": content.schema}}
