"""The volume service killed in the middle of its verbs: done wholly, or not at all."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.node import PROCESSES, Node, eventually, running_node
from tests.support.plugin_context import Contexts
from tests.support.volume_driver import VolumeDriver, in_place_of

_PLUGIN = "p"
_SETTINGS = {"WHERRY_STOP_GRACE_S": "1", "WHERRY_VOLUME_LIST_TIMEOUT_S": "0.3"}
_LEASE = ["volume/data"]


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    """Start a node for all tests here, whose services they kill."""
    with running_node(_SETTINGS) as node:
        yield node


@pytest.fixture
def node(shared_node: Node, contexts: Contexts) -> Iterator[Node]:
    """Give the test the node with a volume plugin, and take away what is left."""
    types = {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"}
    with shared_node.log_shown():
        shared_node.create(_PLUGIN, contexts.tar(interface=types, propagatedmount="/data"))
        shared_node.enable(_PLUGIN)
        yield shared_node
        shared_node.remove_all()


@pytest.fixture
def driver(node: Node) -> Iterator[VolumeDriver]:
    """Answer in the plugin's place."""
    with in_place_of(Path(node.status(_PLUGIN)["socket_dir"]) / "p.sock") as driver:
        yield driver
        for name in node.volumes():
            node.remove_volume(name, force=True)


class _Asked:
    """A request in a thread of its own."""

    def __init__(self, node: Node, method: str, path: str, **content: object) -> None:
        self._node = node
        self._request = httpx.Request(method, f"http://docker{path}", json=content or None)
        self.status = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> int:
        """Wait for the answer and return its status; 0: there was none."""
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        return self.status

    def _run(self) -> None:
        with self._node.client() as client:
            self.status = client.send(self._request).status_code


def _create(node: Node) -> _Asked:
    return _Asked(node, "POST", "/volumes/create", Name="data", Driver=_PLUGIN)


def _kill(node: Node) -> None:
    node.kill("volume")


def _told(node: Node) -> list[str]:
    """Return what the feed says of the volume since this plugin was created."""
    feed = node.feed()
    created = max(e["seq"] for e in feed if (e["type"], e["action"]) == ("plugin", "create"))
    return [e["action"] for e in feed if e["type"] == "volume" and e["seq"] > created]


def test_a_crash_between_lease_and_create_is_whole_or_nothing(
    node: Node, driver: VolumeDriver
) -> None:
    """The plugin was held and not yet told: the redelivered create makes the volume, once."""
    with driver.held("Create", before=True) as reached:
        creating = _create(node)
        assert reached.wait(10)
        assert node.owners(_PLUGIN) == _LEASE
        driver.errors["Create"] = "the caller has gone"
        _kill(node)
    node.wait_healthy()
    del driver.errors["Create"]

    status = creating.join()
    eventually(lambda: _is_settled(node, driver), "the create is whole or nothing")
    if status != 201:
        assert _create(node).join() == 201
    assert node.owners(_PLUGIN) == _LEASE
    eventually(lambda: _told(node) == ["create"], "the feed tells it once")


def test_a_crash_between_create_and_commit_is_finished(node: Node, driver: VolumeDriver) -> None:
    """The plugin has made the volume: it is there after the crash, held, with one event."""
    with driver.held("Create") as reached:
        creating = _create(node)
        assert reached.wait(10)
        assert list(driver.volumes) == ["data"]
        _kill(node)
    node.wait_healthy()

    eventually(lambda: node.volumes() == ["data"], "the volume is there")
    eventually(lambda: _told(node) == ["create"], "the feed tells it once")
    assert creating.join() in (201, 503)
    assert node.owners(_PLUGIN) == _LEASE
    assert _create(node).join() == 201
    assert _told(node) == ["create"]


def test_a_create_that_the_plugin_never_saw_is_undone(node: Node, driver: VolumeDriver) -> None:
    """When nobody asks again, a half-made create lets go of the plugin."""
    driver.errors["Create"] = "not now"
    with driver.held("Create", before=True), driver.held("Get", before=True) as asked:
        creating = _create(node)
        assert asked.wait(10)
        _kill(node)
    node.wait_healthy()

    assert creating.join() in (500, 503)
    eventually(lambda: node.owners(_PLUGIN) == [], "the plugin is let go")
    assert node.volumes() == []
    assert _told(node) == []


def test_a_crash_before_the_plugin_removed_it_is_finished(node: Node, driver: VolumeDriver) -> None:
    """A remove that was begun goes forward, and lets go of the plugin."""
    assert _create(node).join() == 201
    with driver.held("Remove", before=True) as reached:
        removing = _Asked(node, "DELETE", "/volumes/data")
        assert reached.wait(10)
        _kill(node)
    node.wait_healthy()

    assert removing.join() in (204, 503)
    eventually(lambda: _told(node) == ["create", "destroy"], "the volume is gone")
    eventually(lambda: node.owners(_PLUGIN) == [], "the plugin is let go")
    assert driver.volumes == {}


def test_a_crash_after_the_plugin_removed_it_is_finished(node: Node, driver: VolumeDriver) -> None:
    """A volume that only the record still knows goes as well, with one event."""
    assert _create(node).join() == 201
    with driver.held("Remove") as reached:
        removing = _Asked(node, "DELETE", "/volumes/data")
        assert reached.wait(10)
        assert driver.volumes == {}
        _kill(node)
    node.wait_healthy()

    assert removing.join() in (204, 503)
    eventually(lambda: node.owners(_PLUGIN) == [], "the plugin is let go")
    eventually(lambda: _told(node) == ["create", "destroy"], "the feed tells it once")
    assert node.volumes() == []


def test_a_crash_within_a_mount_leaves_no_holder(node: Node, driver: VolumeDriver) -> None:
    """An owner that was never answered holds nothing, and can mount again."""
    assert _create(node).join() == 201
    with driver.held("Mount") as reached:
        wish = {"owner": "c1"}
        mounting = _Asked(node, "POST", "/wherry/v1/volumes/data/mounts", **wish)
        assert reached.wait(10)
        _kill(node)
    node.wait_healthy()
    status = mounting.join()

    held = {"c1"} if status == 200 else set()
    eventually(lambda: driver.holders["data"] == held, "what is held is what was answered")
    node.mount("data", "c1")
    assert driver.holders["data"] == {"c1"}
    node.unmount("data", "c1")
    assert driver.holders["data"] == set()


def test_local_volumes_survive_kills_with_their_mounts(node: Node) -> None:
    """A mounted local volume stays mounted and held when its service is killed."""
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    node.http.post("/volumes/create", json={"Name": "tm", "DriverOpts": options})
    place = node.mount("tm", "c1")
    (place / "file").write_text("kept")

    _kill(node)
    node.wait_healthy()

    assert (place / "file").read_text() == "kept"
    assert node.mount("tm", "c1") == place
    assert node.http.delete("/volumes/tm").status_code == 409
    node.unmount("tm", "c1")
    assert not place.is_mount()


def test_g08_a_restart_of_all_takes_the_references_up_again(
    node: Node, driver: VolumeDriver
) -> None:
    """G08: after all services were killed the plugin, still running, is in use until volume rm."""
    pid = node.status(_PLUGIN)["pid"]
    assert _create(node).join() == 201

    node.kill(*PROCESSES)
    node.up()

    assert node.status(_PLUGIN)["pid"] == pid
    assert "is in use" in node.docker_fails("plugin", "disable", _PLUGIN)
    node.docker("volume", "rm", "data")
    assert node.owners(_PLUGIN) == []


def test_volumes_outlive_a_lost_redis(node: Node, driver: VolumeDriver) -> None:
    """After FLUSHALL the volumes, the lease and every event are still there."""
    assert _create(node).join() == 201
    socket = node.exec_root / "redis.sock"
    subprocess.run(["redis-cli", "-s", socket, "FLUSHALL"], check=True, capture_output=True)

    eventually(lambda: node.http.get("/volumes").status_code == 200, "volumes are listed")
    assert node.volumes() == ["data"]
    assert node.owners(_PLUGIN) == _LEASE
    node.remove_volume("data")
    eventually(lambda: _told(node) == ["create", "destroy"], "the feed has all")


def _is_settled(node: Node, driver: VolumeDriver) -> bool:
    is_there = node.volumes() == ["data"]
    return (node.owners(_PLUGIN) == _LEASE) == is_there == bool(driver.volumes)
