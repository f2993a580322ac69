"""Plugins by name and capability."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import errdefs
from shared.contracts import plugin as plugins
from shared.contracts.plugin import Plugin, PluginStatus
from shared.plugin_rpc.endpoints import Endpoints
from shared.plugin_rpc.legacy import LegacyPlugins
from shared.plugin_rpc.legacy_folders import LegacyFolders
from shared.plugin_rpc.lookup import Lookup
from tests.support.gateway import plugin
from tests.support.plugin_rpc import FakePlugin, FakeTime, client


def _authz(letter: str, *, enabled: bool = True, types: str = "docker.authz/1.0") -> Plugin:
    return plugin(
        letter,
        enabled=enabled,
        config={"Interface": {"Socket": "p.sock", "Types": [types]}},
        status=PluginStatus(socket_dir=f"/e/c/{letter}-1/s" if enabled else None),
    )


def _lookup(folder: Path, *known: Plugin, legacy: object = None) -> Lookup:
    time = FakeTime()
    if legacy is not None:
        (folder / "old.spec").write_text("tcp://127.0.0.1:1")
    wire = FakePlugin(legacy)
    endpoints = Endpoints(lambda endpoint: client(wire, time, endpoint=endpoint))
    folders = LegacyFolders(sockets=folder / "none", specs=(folder,))
    by_name, by_id = {p.name: p.plugin_id for p in known}, {p.plugin_id: p for p in known}
    return Lookup(
        resolve=lambda raw: by_id[plugins.resolve(raw, by_name, by_id)],
        managed=lambda: known,
        endpoints=endpoints,
        legacy=LegacyPlugins(folders, endpoints, clock=time, sleep=time.sleep),
    )


async def test_a09_capability(tmp_path: Path) -> None:
    """A managed plugin is found by its capability in any case, and refused for another."""
    lookup = _lookup(tmp_path, _authz("a"))
    found = await lookup.get("a/plugin", "AuthZ")
    assert (found.name, found.plugin) == ("a/plugin:latest", _authz("a"))
    with pytest.raises(errdefs.InvalidArgument) as error:
        await lookup.get("a/plugin", "VolumeDriver")
    assert error.value.message == 'plugin does not provide "volumedriver" capability'
    assert error.value.docker_unclassed


@pytest.mark.parametrize("types", ["docker.authz/2.0", "docker.authz", ".docker.authz/1.0"])
async def test_versions_are_not_compared(tmp_path: Path, types: str) -> None:
    """Any version of a capability will do, if its prefix is Docker's."""
    lookup = _lookup(tmp_path, _authz("a", types=types))
    if types.startswith("."):
        with pytest.raises(errdefs.InvalidArgument):
            await lookup.get("a/plugin", "authz")
    else:
        assert (await lookup.get("a/plugin", "authz")).name == "a/plugin:latest"


async def test_disabled(tmp_path: Path) -> None:
    """A plugin that is disabled is found, and its name is given back as it was asked for."""
    with pytest.raises(errdefs.Conflict, match=r"^plugin a/plugin found but disabled$"):
        await _lookup(tmp_path, _authz("a", enabled=False)).get("a/plugin", "authz")


async def test_not_found(tmp_path: Path) -> None:
    """What is neither managed nor legacy is not found."""
    with pytest.raises(errdefs.NotFound, match=r'^plugin "x" not found$'):
        await _lookup(tmp_path).get("x", "authz", patience_s=0)


async def test_legacy(tmp_path: Path) -> None:
    """What is not managed is looked for among the legacy plugins."""
    lookup = _lookup(tmp_path, legacy={"Implements": ["authz"]})
    found = await lookup.get("old", "authz")
    assert (found.name, found.plugin) == ("old", None)
    with pytest.raises(errdefs.InvalidArgument) as error:
        await lookup.get("old", "VolumeDriver")
    assert error.value.message == (
        'legacy plugin: Plugin does not implement the requested driver: plugin="old", '
        'requested implementation="VolumeDriver"'
    )


async def test_all_of_a_capability(tmp_path: Path) -> None:
    """All are the managed ones that are enabled and run, by name, then the legacy ones."""
    known = (_authz("b"), _authz("a"), _authz("c", enabled=False), _authz("d", types="docker.x/1"))
    lookup = _lookup(tmp_path, *known, legacy={"Implements": ["authz"]})
    managed = [found.name for found in lookup.get_managed_by("authz")]
    assert managed == ["a/plugin:latest", "b/plugin:latest"]
    assert [found.name for found in await lookup.get_all_by("authz")] == [*managed, "old"]


async def test_a_client_stays_with_its_process(tmp_path: Path) -> None:
    """Each look-up gives the client of the process that runs now."""
    lookup = _lookup(tmp_path, _authz("a"))
    first = (await lookup.get("a/plugin", "authz")).client
    assert (await lookup.get("a/plugin", "authz")).client is first
    assert first.endpoint.address == "unix:///e/c/a-1/s/p.sock"
