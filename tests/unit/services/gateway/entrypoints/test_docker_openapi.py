"""The description of Docker's routes, held against the routes themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.gateway.domain.docker_openapi.document import document
from tests.support.gateway_app import AppWorld
from tests.support.openapi import differences, named

_DOCUMENT = document()
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in _DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


async def test_each_route_is_described_and_no_other(world: AppWorld) -> None:
    """What the router finds is what the document names."""
    routes = {(route.method, route.template) for route in world.ready.router.routes}

    assert set(_operations()) == routes


async def test_it_is_served_beside_the_one_of_our_own_api(world: AppWorld) -> None:
    """As JSON, and the document of /wherry/v1 names it."""
    assert (await world.get("/wherry/v1/docker-openapi.json")).json() == _DOCUMENT
    ours = (await world.get("/wherry/v1/openapi.json")).json()["paths"]
    assert "/wherry/v1/docker-openapi.json" in ours


@pytest.mark.parametrize("path", sorted(_DOCUMENT["paths"]))
async def test_other_methods_are_not_found(world: AppWorld, path: str) -> None:
    """A method that the document does not name is none, as the answer says."""
    described = {method.upper() for method in _DOCUMENT["paths"][path]}
    # What stands in for a name may be another path's word.
    asked = re.sub(r"\{\w+\}", "x", path)
    for method in set(_METHODS) - described:
        matched = world.ready.router.find(method, asked)
        assert matched is None or matched.route.template != path


def test_operations_have_names_of_their_own() -> None:
    """Generators of clients make functions of them."""
    names = [operation["operationId"] for operation in _operations().values()]

    assert len(names) == len(set(names))


def test_placeholders_are_parameters() -> None:
    """Each of a path is described, and must be there."""
    for (_, path), operation in _operations().items():
        described = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path))


def test_references_lead_somewhere() -> None:
    """Each schema that is named is there, and each that is there is named."""
    names = re.findall(r"#/components/schemas/(\w+)", str(_DOCUMENT))

    assert set(names) == set(_DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("path", ["/version", "/info"])
async def test_answers_are_as_described(world: AppWorld, path: str) -> None:
    """What the gateway answers by itself has the keys and types of its schema."""
    content = _DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    answer = (await world.get(path)).json()

    assert differences(_DOCUMENT, content["application/json"]["schema"], answer) == []


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"type": "integer"}, True, "$: True is no integer"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], "$[1]: 1 is no string"),
        ({"type": "object", "required": ["a"]}, {}, "$.a: is not there"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "$: 1 is no string"),
        ({"enum": ["a"]}, "b", "$: 'b' is none of ['a']"),
        (
            {"$ref": "#/components/schemas/ErrorResponse"},
            {"message": 1},
            "$.message: 1 is no string",
        ),
    ],
)
def test_differences_are_seen(schema: dict[str, Any], value: object, told: str) -> None:
    """What looks at answers sees what is wrong with one."""
    assert differences(_DOCUMENT, schema, value) == [told]
    assert named(_DOCUMENT, {"$ref": "#/components/schemas/Plugin"})["type"] == "object"
