"""Requests made from an OpenAPI document: some as it describes them, most of them not."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.support.openapi import named

Document = Mapping[str, Any]
#: What a parser of HTTP knows as a method; others are refused before anybody looks at a route.
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_VERSIONS: Final = ("", "/v1.51", "/v1.24", "/v1.99", "/v1.1", "/v1", "/vx", "//")
_TYPES: Final = (
    *("application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain"),
    *("application/x-tar", "application/json; charset", "application/", "/", "", "é", "a/b;=;"),
)
#: Nobody answers there: no test of ours asks a registry of others.
_NOWHERE: Final = "127.0.0.1:1"
_ODD: Final = (
    *("", "0", "-1", "true", "null", "%", "%00", "..", "../..", "a/b", "a:b:c", "@sha256:", "\0"),
    *("\n", "é", "💥", "a" * 300, "9" * 40, "-9" * 20, "1e999", "NaN", '{"a":', "[]", "{}", '""'),
    *('{"name":{"a":true}}', '{"label":["a=b"]}', '{"enabled":{"true":true,"false":true}}'),
    *(_NOWHERE, f"{_NOWHERE}/a/b:c", f"http://{_NOWHERE}/", "0001-01-01", "1h", "p", "vol", "fuzz"),
)
_WORDS: Final = st.one_of(st.sampled_from(_ODD), st.text(max_size=12))
_NUMBERS: Final = st.one_of(
    st.integers(-(2**70), 2**70), st.sampled_from((0, 1, -1, 2**31, 2**63)), st.floats()
)
_ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)
_NOISE: Final = st.binary(max_size=64) | st.sampled_from(
    (
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\x1f\x8b\x08\x00",
        b"\xff\xfe",
        b"{}{}",
        b" ",
        b"\0" * 1024,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as it is sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_chunked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The answer: its body where it is a refusal, else nothing of it."""

    status: int
    content_type: str
    body: bytes


def some(usually: int) -> settings:
    """Say how many requests an operation gets: as many as WHERRY_EXAMPLES, or the same few."""
    examples = int(os.environ.get("WHERRY_EXAMPLES", "0"))
    return settings(
        max_examples=examples or usually,
        derandomize=not examples,
        database=None,
        deadline=None,
        # A node is never twice the same, so a smaller request that fails proves little.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def calls(document: Document, method: str, path: str) -> st.SearchStrategy[Call]:
    """Return requests to one operation, right and wrong in every part."""
    operation = document["paths"][path][method.lower()]
    parameters = operation.get("parameters", ())
    return st.builds(
        _call,
        method=_often(st.just(method), st.sampled_from(_METHODS)),
        path=st.just(path),
        # Of our own API the version is in the path.
        version=st.just("") if path.startswith("/wherry/") else st.sampled_from(_VERSIONS[:3]),
        odd_version=_often(st.just(None), st.sampled_from(_VERSIONS)),
        names=st.fixed_dictionaries(
            {
                p["name"]: _often(st.sampled_from(("p", "vol", "nobody")), _WORDS)
                for p in parameters
                if p["in"] == "path"
            }
        ),
        query=_parameters(document, parameters, "query"),
        headers=_parameters(document, parameters, "header"),
        content_type=_often(st.just(_content_type(operation)), st.sampled_from(_TYPES)),
        body=_body(document, operation),
        is_chunked=st.booleans(),
    )


def send(path: Path, call: Call, *, limit_s: float) -> Said:
    """Send a request over a connection of its own; raises OSError when no answer comes in time."""
    connection = http.client.HTTPConnection("docker", timeout=limit_s)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(limit_s)
    try:
        connection.sock.connect(str(path))
        connection.putrequest(call.method, call.target, skip_accept_encoding=True)
        for name, value in call.headers:
            connection.putheader(name, value.encode("latin-1", "replace"))
        if call.is_chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders([call.body] if call.body else [], encode_chunked=True)
        else:
            connection.putheader("Content-Length", str(len(call.body)))
            connection.endheaders(call.body)
        answer = connection.getresponse()
        # What succeeded may go on for ever.
        body = answer.read() if answer.status >= 400 else b""
        return Said(
            status=answer.status, content_type=answer.getheader("Content-Type", ""), body=body
        )
    finally:
        connection.close()


def _call(
    *,
    method: str,
    path: str,
    version: str,
    odd_version: str | None,
    names: Mapping[str, str],
    query: list[tuple[str, str]],
    headers: list[tuple[str, str]],
    content_type: str,
    body: bytes,
    is_chunked: bool,
) -> Call:
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/:@"))
    told = urlencode(query, errors="replace")
    return Call(
        method=method,
        target=(version if odd_version is None else odd_version)
        + path
        + (f"?{told}" if told else ""),
        headers=(*(_header(h) for h in headers), *_header_of_type(content_type)),
        body=body,
        is_chunked=is_chunked and bool(body),
    )


def _header(header: tuple[str, str]) -> tuple[str, str]:
    name, value = header
    if name.lower() == "x-registry-auth" and value.startswith("{"):
        value = base64.urlsafe_b64encode(value.encode("utf-8", "replace")).decode()
    return name, "".join(char for char in value if char.isprintable())


def _header_of_type(content_type: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type),) if content_type else ()


def _parameters(
    document: Document, parameters: Any, where: str
) -> st.SearchStrategy[list[tuple[str, str]]]:
    described = [p for p in parameters if p["in"] == where]
    one = [
        st.tuples(st.just(p["name"]), _written(_values(document, p["schema"]))) for p in described
    ]
    odd = st.tuples(st.sampled_from(("filters", "force", "X-Meta-A", "all", "detach")), _WORDS)
    return st.lists(st.one_of(*one, odd), max_size=3)


def _body(document: Document, operation: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return _often(st.just(b""), _NOISE)
    written = _values(document, content["application/json"]["schema"]).map(
        lambda value: json.dumps(value).encode()
    )
    return st.one_of(written, written, _NOISE, st.just(b""))


def _content_type(operation: Mapping[str, Any]) -> str:
    return next(iter(operation.get("requestBody", {}).get("content", {})), "")


def _values(document: Document, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that are as a schema has them, and now and then something else in a place."""
    schema = named(dict(document), dict(schema))
    if "enum" in schema:
        return _often(st.sampled_from(schema["enum"]), _ANYTHING)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of(*(_values(document, one) for one in schema[several]))
    kind = schema.get("type")
    if kind == "object":
        return _often(_objects(document, schema), _ANYTHING)
    if kind == "array":
        items = st.deferred(lambda: _values(document, schema.get("items", {})))
        return _often(st.lists(items, max_size=3), _ANYTHING)
    simple = {"string": _WORDS, "integer": _NUMBERS, "number": _NUMBERS, "boolean": st.booleans()}
    return _often(simple.get(str(kind), _ANYTHING), _ANYTHING)


def _objects(document: Document, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    others = schema.get("additionalProperties")
    if "properties" not in schema:
        values = _values(document, others) if isinstance(others, dict) else _ANYTHING
        return st.dictionaries(_WORDS, values, max_size=3)
    needed = set(schema.get("required", ()))
    parts = {name: _later(document, part) for name, part in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in needed},
        optional={name: part for name, part in parts.items() if name not in needed},
    )


def _later(document: Document, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return the values of a schema that may hold itself."""
    return st.deferred(lambda: _values(document, schema))


def _written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(lambda value: value if isinstance(value, str) else json.dumps(value))


def _often(usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, other)
