"""A real volume plugin, whose mounts are to be seen on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.leftovers import mounts_below
from deploy.demo.plugin_calls import VolumePlugin
from tests.support.node import Node


@pytest.fixture
def volume(node: Node, quota_volume: Path) -> Path:
    """Enable the plugin, mount a volume, and give its place on the host."""
    node.docker("plugin", "create", "qv", str(quota_volume))
    _mount(node)
    return Path(_host_path(node))


def _mount(node: Node) -> None:
    socket = Path(node.enable("qv")["socket_dir"]) / "quota.sock"
    with VolumePlugin(socket) as plugin:
        plugin.call("Create", Name="v", Opts={"size": "1m"})
        plugin.call("Mount", Name="v", ID="test")


def _host_path(node: Node) -> str:
    # Seen twice: the folder and the data root around it are shared, each by a mount of its own.
    (found,) = {path for path in mounts_below(node.folder) if path.endswith("/v")}
    return found


def test_a_volume_is_seen_on_the_host(node: Node, volume: Path) -> None:
    """What the plugin mounts below its propagated mount is a mount of the host."""
    (volume / "file").write_text("from the host")

    pid = node.status("qv")["pid"]
    inside = Path(f"/proc/{pid}/root/var/lib/quota-volume/v/file")
    assert inside.read_text() == "from the host"


def test_disable_and_enable_serve_volumes_again(node: Node, volume: Path) -> None:
    """After disable and enable the plugin serves its volumes at the same place."""
    node.disable("qv")

    _mount(node)

    assert Path(_host_path(node)) == volume
    (volume / "file").write_text("again")


def test_remove_takes_the_mounts_away(node: Node, volume: Path) -> None:
    """A removed plugin leaves no mount behind."""
    node.remove("qv", force=True)

    assert not volume.exists()
    assert [path for path in mounts_below(node.folder) if "/plugins/" in path] == []


def test_a01_remove_leaves_others_mounts(node: Node, volume: Path, quota_volume: Path) -> None:
    """A forced remove of one plugin does not unmount what another has mounted."""
    node.docker("plugin", "create", "other", str(quota_volume))
    node.enable("other")

    node.remove("other", force=True)

    assert volume.is_mount()


def test_the_plugin_is_listed_as_a_volume_driver(node: Node, volume: Path) -> None:
    """The sample plugin has the capability that volumes ask for."""
    assert volume.is_mount()
    assert node.docker("plugin", "ls", "-f", "capability=volumedriver", "-q") != ""
