"""Where a registry may send us, and what goes with us."""

from __future__ import annotations

import httpx

#: These leave method and body as they are; after the others only a GET or HEAD goes on.
_SAME_METHOD = frozenset({307, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})


class BadRedirect(httpx.RemoteProtocolError):
    """A registry sends us where we don't go; it will do so again."""


def is_same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Say whether two addresses are of one server."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def next_hop(response: httpx.Response) -> httpx.URL | None:
    """Return where *response* sends its request on to, None where it does not.

    Raises BadRedirect for a place that we don't go to: TLS is never left.
    """
    request, status = response.request, response.status_code
    location = response.headers.get("Location", "")
    follows = status in _SAME_METHOD or request.method in _SAFE
    if status not in _REDIRECTS or not follows or not location:
        return None
    return joined(request.url, location)


def joined(base: httpx.URL, location: str) -> httpx.URL:
    """Resolve a Location against the address it came from.

    A registry behind a proxy that ends TLS writes its own address with ``http``: it is put
    right. Raises BadRedirect for what is no address, or leaves TLS.
    """
    try:
        url = base.join(location)
        host = url.host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise BadRedirect("the redirect's Location is no address") from error
    if url.scheme == "http" and base.scheme == "https" and host == base.host:
        url = url.copy_with(scheme="https", port=base.port)
    if url.scheme not in ("http", "https") or not host or url.userinfo:
        raise BadRedirect("the redirect's Location is no address of a web server")
    if url.scheme == "http" and base.scheme == "https":
        raise BadRedirect(f"redirected from https to http://{host}")
    return url


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
