"""Bodies that dockerd refuses, at each of the routes that take a JSON array."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pytest

from tests.support.node import Node

_JSON = "application/json"
_SET, _UPGRADE, _PULL = "/plugins/foobar/set", "/plugins/foobar/upgrade", "/plugins/pull"


def _post(node: Node, path: str, content: bytes | Iterable[bytes], kind: str) -> httpx.Response:
    return node.http.post(path, content=content, headers={"Content-Type": kind})


@pytest.mark.parametrize("path", [_SET, _UPGRADE, _PULL])
def test_c01_c02_c03_another_type_is_refused(node: Node, path: str) -> None:
    """What is not called JSON is not read, whatever else is wrong with the request."""
    answer = _post(node, path, b"[]", "text/plain")

    expected = "unsupported Content-Type header (text/plain): must be 'application/json'"
    assert (answer.status_code, answer.json()) == (400, {"message": expected})


@pytest.mark.parametrize("path", [_SET, _UPGRADE, _PULL])
def test_c04_c05_c06_what_is_no_json_is_refused(node: Node, path: str) -> None:
    """The first wrong character is named as Go names it."""
    answer = _post(node, path, b"{invalid json", _JSON)

    expected = "invalid JSON: invalid character 'i' looking for beginning of object key string"
    assert (answer.status_code, answer.json()) == (400, {"message": expected})


@pytest.mark.parametrize("path", [_SET, _UPGRADE, _PULL])
def test_c07_c08_c09_what_follows_the_json_is_refused(node: Node, path: str) -> None:
    """A body is one value."""
    answer = _post(node, path, b"[] trailing content", _JSON)

    assert (answer.status_code, answer.json()) == (
        400,
        {"message": "unexpected content after JSON"},
    )


@pytest.mark.parametrize("path", [_SET, _UPGRADE, _PULL])
def test_c10_c11_c12_an_empty_chunked_body_is_the_clients_fault(node: Node, path: str) -> None:
    """Chunked and empty is a mistake, not a crash."""
    answer = _post(node, path, iter([b""]), _JSON)

    assert (answer.status_code, answer.json()) == (
        400,
        {"message": "invalid JSON: got EOF while reading request body"},
    )
