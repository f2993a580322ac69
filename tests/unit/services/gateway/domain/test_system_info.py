"""Docker's answers about the engine."""

from __future__ import annotations

import dataclasses
from typing import Any

from services.gateway.domain import system_info
from services.gateway.domain.host import Host, Versions
from shared.contracts.plugin import Plugin
from tests.support.gateway import plugin

_HOST = Host(
    kernel_version="6.1.0",
    operating_system="Debian GNU/Linux 12 (bookworm)",
    os_version="12",
    machine="x86_64",
    arch="amd64",
    cpus=2,
    memory_bytes=1024,
    cgroup_version="1",
    limits={"MemoryLimit": True, "SwapLimit": False, "PidsLimit": True},
)
_PROGRAMS = {"runc": Versions(version="1.1.5", commit="c0ffee"), "conmon": Versions(version="2.1")}


_ENGINE = system_info.Engine(
    engine_id="id",
    node="n",
    root="/var/lib/wherry",
    cgroup_driver="cgroupfs",
    host=_HOST,
)


def _info(*plugins: Plugin, **engine: Any) -> dict[str, Any]:
    now = system_info.Moment(
        plugins=plugins,
        programs=_PROGRAMS,
        open_files=7,
        listeners=1,
        forwards_ipv4=True,
        time="t",
    )
    return system_info.info(dataclasses.replace(_ENGINE, **engine), now)


def test_version() -> None:
    """The engine's version is followed by ours and by what is installed."""
    version = system_info.version(_ENGINE, _PROGRAMS)
    assert (version["Version"], version["ApiVersion"]) == ("28.3.0", "1.51")
    assert version["MinAPIVersion"] == "1.24"
    names = [component["Name"] for component in version["Components"]]
    assert names == ["Engine", "Wherry", "runc", "conmon"]
    assert [c["Details"] for c in version["Components"][2:]] == [{"GitCommit": "c0ffee"}, {}]


def test_drivers_are_the_enabled_plugins() -> None:
    """Info lists under each kind the enabled plugins that have its capability."""
    authz = {"Interface": {"Types": ["docker.authz/1.0"]}}
    info = _info(plugin("a", enabled=True), plugin("b"), plugin("c", enabled=True, config=authz))
    assert info["Plugins"] == {
        "Volume": ["local", "a/plugin:latest"],
        "Network": [],
        "Log": [],
        "Authorization": ["c/plugin:latest"],
    }


def test_nothing_is_made_up() -> None:
    """What the node does not have is zero, empty or null, as Docker shows it."""
    info = _info()
    assert [info[key] for key in ("Containers", "Images", "Driver", "LoggingDriver")] == [
        0,
        0,
        "",
        "",
    ]
    assert info["Plugins"] == {"Volume": ["local"], "Network": [], "Log": [], "Authorization": None}


def test_warnings() -> None:
    """A missing limit, and a port without encryption, are warned of."""
    first, second = _info(tcp=("127.0.0.1:2375",))["Warnings"]
    assert "http://127.0.0.1:2375 without encryption" in first
    assert second == "WARNING: No swap limit support"
