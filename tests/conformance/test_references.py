"""References on a real node: what is in use stays, across a crash of the store, until released."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

VOLUME = "volume/data1"
IN_USE = "plugin p:latest is in use"


@pytest.fixture
def driver(contexts: Contexts) -> bytes:
    """Return the context of a volume driver."""
    return contexts.tar(interface={"types": ["docker.volumedriver/1.0"], "socket": "p.sock"})


def _path(name: str) -> str:
    return f"/wherry/v1/plugins/{name}/references"


def _acquire(
    client: httpx.Client, *, owner: str = VOLUME, ttl_s: int = 60, capability: str = "volumedriver"
) -> httpx.Response:
    wish = {"owner": owner, "ttl_s": ttl_s, "capability": capability}
    return client.post(_path("p"), json=wish)


def _release(node: Node, owner: str = VOLUME) -> None:
    response = node.http.delete(f"{_path('p')}/{owner}")
    assert response.status_code == 204, response.text


def _owners(node: Node) -> list[str]:
    return [reference["owner"] for reference in node.get(_path("p"))["references"]]


def test_f03_g08_plugin_in_use_stays_until_it_is_released(node: Node, driver: bytes) -> None:
    """Docker's disable and rm say `in use`, after a crash of the store, too."""
    node.create("p", driver)
    assert _acquire(node.http).json()["message"] == "plugin p found but disabled"  # A10
    node.enable("p")
    assert _acquire(node.http, capability="foobar").status_code == 400  # A09
    assert _owners(node) == []

    for _ in range(2):
        assert _acquire(node.http).status_code == 200
    assert IN_USE in node.docker_fails("plugin", "disable", "p")
    assert IN_USE in node.docker_fails("plugin", "rm", "p")

    node.kill("store")
    node.wait_healthy()
    assert _owners(node) == [VOLUME]
    assert IN_USE in node.docker_fails("plugin", "disable", "p")
    assert VOLUME in node.wherry("plugin", "references", "p")
    (shown,) = json.loads(node.wherry("plugin", "references", "--json", "p"))
    assert shown["owner"] == VOLUME

    for _ in range(2):
        _release(node)
    assert node.wherry("plugin", "references", "p") == "nobody holds plugin p:latest\n"
    node.docker("plugin", "disable", "p")
    node.docker("plugin", "rm", "p")


def test_force_is_stronger_than_references(node: Node, driver: bytes) -> None:
    """D#14: a forced disable keeps leases, whose release works; a forced rm takes them along."""
    node.create("p", driver)
    node.enable("p")
    _acquire(node.http, owner="user/the backup")
    _acquire(node.http)

    node.docker("plugin", "disable", "--force", "p")
    assert _owners(node) == ["user/the backup", VOLUME]
    _release(node, "user/the backup")
    assert IN_USE in node.docker_fails("plugin", "rm", "p")
    node.docker("plugin", "rm", "--force", "p")

    node.create("p", driver)
    assert _owners(node) == []


def test_lease_that_is_not_renewed_ends(node: Node, driver: bytes) -> None:
    """An owner that went away without a word holds the plugin no longer than its time."""
    node.create("p", driver)
    node.enable("p")
    _acquire(node.http, ttl_s=1)
    assert IN_USE in node.docker_fails("plugin", "disable", "p")

    eventually(lambda: _owners(node) == [], "the lease has run out")

    node.disable("p")


def test_acquisition_beside_a_disable_has_one_winner(node: Node, driver: bytes) -> None:
    """The plugin ends held and enabled, or disabled and held by nobody."""
    node.create("p", driver)
    for _ in range(4):
        node.enable("p")
        with node.client() as one, node.client() as other, ThreadPoolExecutor(2) as pool:
            acquiring = pool.submit(_acquire, one)
            disabling = pool.submit(other.post, "/plugins/p/disable")
            answers = acquiring.result().status_code, disabling.result().status_code

        assert sorted(answers) == [200, 409]
        enabled = node.get("/plugins/p/json")["Enabled"]
        assert enabled == (answers[0] == 200)
        assert _owners(node) == ([VOLUME] if enabled else [])
        if enabled:
            _release(node)
            node.disable("p")


def test_plugins_of_a_capability(node: Node, driver: bytes) -> None:
    """Only enabled plugins are found by what they can do."""
    node.create("p", driver)

    def found(capability: str) -> list[str]:
        listed = node.get("/wherry/v1/plugins", capability=capability)["plugins"]
        return [plugin["name"] for plugin in listed]

    assert found("volumedriver") == []
    node.enable("p")
    assert found("VolumeDriver") == ["p:latest"]
    assert found("authz") == []
