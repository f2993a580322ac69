"""Addresses of plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import errdefs
from shared.contracts.plugin import PluginStatus
from shared.plugin_rpc import endpoint
from tests.support.gateway import plugin


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("tcp://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("unix:///usr/local/plugins/foo", "http://plugin.moby.localhost"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://127.0.0.1:8080", "https://127.0.0.1:8080"),
    ],
)
def test_i06_scheme(address: str, url: str) -> None:
    """Only https is spoken over TLS, and a socket has Docker's host name."""
    assert endpoint.parse("p", address).url == url


@pytest.mark.parametrize("address", ["unix:///run/p.sock", "unix://run/p.sock"])
def test_socket_paths_are_absolute(address: str) -> None:
    """A path whose first slash was forgotten is still a path from the root."""
    assert endpoint.parse("p", address).socket == Path("/run/p.sock")


def test_a_path_may_hold_a_colon() -> None:
    """Only what is reached over TCP has a port."""
    assert endpoint.parse("p", "unix://run:a/p.sock").socket == Path("/run:a/p.sock")


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost:8080", "/run/p.sock", "unix://", "tcp://", "ftp://x", "http://[x"),
        *("tcp://localhost:80a0", "https://localhost:99999", "tcp://:80", "unix:///run/p\0.sock"),
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    """An address without a known scheme or without a place is refused in Docker's words."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^Unknown protocol: "):
        endpoint.parse("p", address)


def test_managed_plugin() -> None:
    """A managed plugin is reached in the socket folder of its container, links not followed."""
    running = plugin(
        config={"Interface": {"Socket": "p.sock"}}, status=PluginStatus(socket_dir="/e/c/x-1/s")
    )
    found = endpoint.managed(running)
    assert found.socket == Path("/e/c/x-1/s/p.sock")
    assert found.is_confined
    assert found.name == "a/plugin:latest"


def test_managed_plugin_that_does_not_run() -> None:
    """A plugin without a process is unavailable, and its state is told."""
    with pytest.raises(errdefs.Unavailable, match=r"a/plugin:latest is not running now \(stopped"):
        endpoint.managed(plugin())
