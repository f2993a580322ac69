"""JSON bodies of requests."""

from __future__ import annotations

import pytest

from services.gateway.domain import json_body
from shared import errdefs


def _read(body: bytes, *, content_type: str = "application/json", length: bool = True) -> object:
    return json_body.strings(body, content_type=content_type, has_length=length)


@pytest.mark.parametrize(
    ("body", "args"),
    [
        (b'["DEBUG=1","a"]', ("DEBUG=1", "a")),
        (b"[]", ()),
        (b"null", ()),
        (b'["a",null]', ("a", "")),
        (b"", ()),
    ],
)
def test_strings(body: bytes, args: tuple[str, ...]) -> None:
    """A list of strings is read; null and an announced empty body are an empty one."""
    assert _read(body) == args


def test_nothing_needs_no_type() -> None:
    """Without a body, no type is asked for."""
    assert _read(b"", content_type="") == ()


def test_parameters_of_the_type() -> None:
    """A charset may follow, and case does not count."""
    assert _read(b"[]", content_type='Application/JSON; charset="utf-8"') == ()


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        (
            "text/plain",
            "unsupported Content-Type header (text/plain): must be 'application/json'",
        ),
        ("json", "unsupported Content-Type header (json): must be 'application/json'"),
        ("", "malformed Content-Type header (): mime: no media type"),
        ("a b", "malformed Content-Type header (a b): mime: expected slash after first token"),
        ("a/", "malformed Content-Type header (a/): mime: expected token after slash"),
        (
            "a/b c",
            "malformed Content-Type header (a/b c): mime: unexpected content after media subtype",
        ),
        ("a/b; c", "malformed Content-Type header (a/b; c): mime: invalid media parameter"),
    ],
)
def test_type_is_refused(content_type: str, text: str) -> None:
    """Another type, or none that can be read, is refused in dockerd's words."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        _read(b"[]", content_type=content_type)
    assert refused.value.message == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b"{invalid json",
            "invalid JSON: invalid character 'i' looking for beginning of object key string",
        ),
        (b"[] trailing content", "unexpected content after JSON"),
        (b'["a"', "invalid JSON: unexpected EOF"),
        (b"{}", "invalid JSON: json: cannot unmarshal object into Go value of type []string"),
        (b"[1]", "invalid JSON: json: cannot unmarshal number into Go value of type string"),
    ],
)
def test_body_is_refused(body: bytes, text: str) -> None:
    """A body that is no list of strings is refused in Go's words."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        _read(body)
    assert refused.value.message == text
    assert not refused.value.docker_unclassed


def test_empty_chunked_body() -> None:
    """A body that ends before it begins, without an announced length, is the end of a file."""
    with pytest.raises(errdefs.InvalidArgument, match="got EOF while reading request body"):
        _read(b"", length=False)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}"])
def test_nothing_is_granted(body: bytes) -> None:
    """Nothing comes in four shapes; docker-py sends an empty object."""
    found = json_body.privileges(body, content_type="application/json", has_length=True)
    assert found == ()
