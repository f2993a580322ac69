"""Plugins as volume drivers: what is wrong with one is that one's."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from services.volume.adapters.plugin_drivers import CallLimits
from services.volume.adapters.rpc_drivers import RpcDriver, RpcDrivers
from shared import errdefs
from shared.contracts.plugin import PluginStatus
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.plugin_rpc.lookup import Found
from tests.support.gateway import plugin
from tests.support.plugin_rpc import FakePlugin, client

_CONFIG = {"Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "p.sock"}}
_LIMITS = CallLimits(create_s=5, call_s=5, list_s=5)


def _drivers(folder: Path) -> RpcDrivers:
    """Return the drivers of a node with one managed plugin, and legacy ones in a folder."""
    managed = plugin(config=_CONFIG, enabled=True, status=PluginStatus(socket_dir="/run/p"))
    return RpcDrivers(
        inventory={managed.plugin_id: managed},
        folders=LegacyFolders(sockets=folder / "none", specs=(folder,)),
        plugins=folder,
        limits=_LIMITS,
    )


@pytest.mark.parametrize(
    "address", ["tcp://localhost:80a0", "tcp://☃.:1", "tcp://xn--a:1", "unix:///a\0b"], ids=ascii
)
async def test_a_broken_legacy_plugin_hides_no_other(tmp_path: Path, address: str) -> None:
    """One whose file names no address is passed over, and told of when it is asked for."""
    (tmp_path / "bad.spec").write_text(address)
    drivers = _drivers(tmp_path)

    assert [driver.name for driver in await drivers.all()] == ["a/plugin:latest"]
    with pytest.raises(errdefs.InvalidArgument, match=r"^legacy plugin: .*plugin bad"):
        await drivers.find("bad")
    await drivers.close()


async def test_tls_files_that_can_be_none_hide_no_other(tmp_path: Path) -> None:
    """One whose authority's file has no possible name is passed over."""
    spec = r'{"Addr":"https://localhost:1","TLSConfig":{"CAFile":"/a\u0000b"}}'
    (tmp_path / "bad.json").write_text(spec)
    drivers = _drivers(tmp_path)

    assert [driver.name for driver in await drivers.all()] == ["a/plugin:latest"]
    with pytest.raises(errdefs.InvalidArgument, match="the TLS files of plugin bad cannot be read"):
        await drivers.find("bad")
    await drivers.close()


def _driver(home: Path, place: str) -> RpcDriver:
    """Return a managed plugin that names a place for each volume."""
    (home / "rootfs").mkdir()
    (home / "rootfs" / "loop").symlink_to("loop")
    found = Found(
        name="p",
        client=client(FakePlugin({"Mountpoint": place})),
        plugin=plugin(rootfs="rootfs"),
    )
    return RpcDriver(found=found, home=home, limits=_LIMITS)


async def test_a_place_that_is_none_is_the_plugin_s_error(tmp_path: Path) -> None:
    """What can be no path is told as what the plugin names, asked or mounted."""
    driver = _driver(tmp_path, "/a\0b")
    with pytest.raises(errdefs.Error, match=r"^plugin p names '/.*', where no volume can be: "):
        await driver.path("v")
    with pytest.raises(errdefs.Error, match="where no volume can be"):
        await driver.mount("v", "o", {})


@pytest.mark.parametrize("place", ["/loop", "/loop/x"])
async def test_links_in_a_loop_are_no_fault_of_ours(tmp_path: Path, place: str) -> None:
    """It is told as what the plugin names; from Python 3.13 on, whoever opens it is told."""
    with contextlib.suppress(errdefs.Error):
        await _driver(tmp_path, place).path("v")
