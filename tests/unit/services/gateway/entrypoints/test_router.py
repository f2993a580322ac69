"""Which handler a method and a path mean."""

from __future__ import annotations

import pytest

from services.gateway.entrypoints.http import Request, Response
from services.gateway.entrypoints.router import Route, Router


async def _handle(_request: Request) -> Response:
    return Response()


_ROUTER = Router(
    [
        Route(method="GET", template="/plugins", handler=_handle),
        Route(method="GET", template="/plugins/{name}/json", handler=_handle),
        Route(method="DELETE", template="/plugins/{name}", handler=_handle),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "template", "name"),
    [
        ("GET", "/plugins", "/plugins", None),
        ("GET", "/plugins/a/json", "/plugins/{name}/json", "a"),
        (
            "GET",
            "/plugins/127.0.0.1:5000/a/b:v1/json",
            "/plugins/{name}/json",
            "127.0.0.1:5000/a/b:v1",
        ),
        ("GET", "/plugins/json/json", "/plugins/{name}/json", "json"),
        ("DELETE", "/plugins/a/json", "/plugins/{name}", "a/json"),
    ],
)
def test_find(method: str, path: str, template: str, name: str | None) -> None:
    """A name takes all it can, slashes and colons too."""
    match = _ROUTER.find(method, path)
    assert match is not None
    assert match.route.template == template
    assert match.params.get("name") == name


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/plugins"), ("GET", "/plugins/"), ("GET", "/plugins/a")]
)
def test_find_nothing(method: str, path: str) -> None:
    """A wrong method is no other than a wrong path."""
    assert _ROUTER.find(method, path) is None
