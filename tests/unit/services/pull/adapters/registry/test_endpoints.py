from __future__ import annotations

import ipaddress

import pytest

from services.pull.adapters.registry.endpoints import Endpoint, endpoints_of, may_go_on
from services.pull.adapters.registry.settings import Hosts
from shared import errdefs

_HOSTS = Hosts(
    mirrors=("mirror.one", "https://mirror.two/", "http://127.0.0.1:5000"),
    insecure=frozenset({"plain.local", "odd.local:5000"}),
    insecure_networks=(*Hosts().insecure_networks, ipaddress.ip_network("10.1.0.0/16")),
)


def urls(domain: str, hosts: Hosts = _HOSTS, *, push: bool = False) -> list[str]:
    return [endpoint.url for endpoint in endpoints_of(domain, hosts, push=push)]


def test_docker_hub_is_asked_after_its_mirrors() -> None:
    """Mirrors come in their order, the registry itself last; a push goes to it alone."""
    assert urls("docker.io") == [
        "https://mirror.one",
        "https://mirror.two",
        "http://127.0.0.1:5000",
        "https://registry-1.docker.io",
    ]
    assert urls("docker.io", push=True) == ["https://registry-1.docker.io"]


@pytest.mark.parametrize(
    ("domain", "is_insecure"),
    [
        ("r.example.com", False),
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("127.9.9.9:5000", True),
        ("[::1]:5000", True),
        ("[::2]:5000", False),
        ("10.1.2.3:80", True),
        ("10.2.2.3:80", False),
        ("plain.local", True),
        ("plain.local:8080", True),
        ("odd.local:5000", True),
        ("odd.local:5001", False),
        ("localhost.example.com", False),
    ],
)
def test_plain_http_is_for_those_who_are_insecure(domain: str, *, is_insecure: bool) -> None:
    """TLS is asked for first always, http after it only on loopback and where configured."""
    expected = [f"https://{domain}"] + [f"http://{domain}"] * is_insecure

    assert urls(domain) == expected
    assert all(one.is_insecure is is_insecure for one in endpoints_of(domain, _HOSTS))


@pytest.mark.parametrize(
    "mirror", ["ftp://m", "https://", "https://m/path", "m?x=1", "https://u:p4ss@m", "https://m#f",
     "ftp://u:p4ss@m", "https://u:p4ss@m:eighty", "http://[::1", "xn--a.example"],
)  # fmt: skip
def test_a_mirror_that_is_no_address_is_told(mirror: str) -> None:
    """A mirror is a host; the error does not show a password in it."""
    with pytest.raises(errdefs.InvalidArgument, match="invalid mirror") as caught:
        urls("docker.io", Hosts(mirrors=(mirror,)))
    assert "p4ss" not in caught.value.message


@pytest.mark.parametrize("domain", ["xn--a.example", "xn--zz--zz.example", "r:eighty", "[::1"])
def test_a_domain_that_is_no_address_is_told(domain: str) -> None:
    """What a reference or a login names as its registry has to be a host."""
    with pytest.raises(errdefs.InvalidArgument, match="not that of a host"):
        urls(domain)
    assert urls("xn--fiqs8s.example") == ["https://xn--fiqs8s.example"]


_MIRROR = Endpoint(scheme="https", authority="m", is_mirror=True)
_OWN = Endpoint(scheme="https", authority="r", is_insecure=True)


@pytest.mark.parametrize(
    ("failed", "detail", "goes_on"),
    [
        (_MIRROR, {"status": 404}, True),
        (_MIRROR, {"status": 401}, True),
        (_MIRROR, {"status": 503}, True),
        (_MIRROR, {"status": 403}, False),
        (_MIRROR, {"is_unreached": True}, True),
        (_MIRROR, {"is_unreached": False}, True),
        (_OWN, {"is_unreached": True}, True),
        (_OWN, {"is_unreached": False}, False),
        (_OWN, {"status": 401}, False),
        (_OWN, {"status": 404}, False),
    ],
)
def test_who_is_asked_next(failed: Endpoint, detail: dict[str, object], *, goes_on: bool) -> None:
    """A mirror's policy is kept to, and http is never the way round an answer over TLS."""
    assert may_go_on(errdefs.Unavailable("x", detail=detail), failed) is goes_on
