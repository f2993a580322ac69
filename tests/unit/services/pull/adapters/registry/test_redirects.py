from __future__ import annotations

import httpx
import pytest

from services.pull.adapters.registry.redirects import BadRedirect, is_same_origin, joined, next_hop

_BASE = httpx.URL("https://r.example.com/v2/a/blobs/x")


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("/other?q=1", "https://r.example.com/other?q=1"),
        ("https://cdn.example.com/x", "https://cdn.example.com/x"),
        ("//cdn.example.com/x", "https://cdn.example.com/x"),
        ("http://r.example.com/x", "https://r.example.com/x"),
    ],
)
def test_where_a_location_leads(location: str, to: str) -> None:
    """A Location may be relative; a registry that forgets its own TLS is put right."""
    assert joined(_BASE, location) == httpx.URL(to)


@pytest.mark.parametrize(
    "location",
    ["http://cdn.example.com/x", "ftp://r.example.com/", "file:///etc/passwd", "https://u:p@h/",
     "http://r.example.com:bad/", "https://xn--a.example/"],
)  # fmt: skip
def test_where_we_do_not_go(location: str) -> None:
    """TLS is never left, nor the web, and no login is taken from an address."""
    with pytest.raises(BadRedirect):
        joined(_BASE, location)


@pytest.mark.parametrize(
    ("method", "status", "follows"),
    [("GET", 302, True), ("HEAD", 301, True), ("PUT", 307, True), ("POST", 308, True),
     ("PUT", 302, False), ("GET", 304, False), ("GET", 200, False), ("POST", 201, False)],
)  # fmt: skip
def test_which_answers_are_redirects(method: str, status: int, *, follows: bool) -> None:
    """A request that changes something is sent on only where its method stays what it is."""
    request = httpx.Request(method, _BASE)
    response = httpx.Response(status, headers={"Location": "/x"}, request=request)

    assert (next_hop(response) is not None) is follows


def test_what_one_server_is() -> None:
    """Scheme, host and port make a server; the default port is one."""
    assert is_same_origin(_BASE, httpx.URL("https://r.example.com:443/"))
    assert not is_same_origin(_BASE, httpx.URL("http://r.example.com/"))
    assert not is_same_origin(_BASE, httpx.URL("https://r.example.com:444/"))
    assert not is_same_origin(_BASE, httpx.URL("https://example.com/"))
