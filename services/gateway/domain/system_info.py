"""Docker's answers about the engine: true for this node, zero where it has nothing."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.gateway.domain import api_version, registry_info
from services.gateway.domain.host import Host, Versions
from services.gateway.domain.plugin_filter import capabilities
from shared.contracts.plugin import Plugin
from shared.contracts.volume import LOCAL
from shared.node.runtimes import OciRuntime, Runtimes
from shared.version import VERSION

#: Docker's kinds of drivers, and the capability that makes a plugin one.
_DRIVERS = {"Volume": "volumedriver", "Network": "networkdriver"}
_AUTHORIZATION = "authz"
_LIMIT_NAMES = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "pids"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What does not change while the gateway runs."""

    engine_id: str
    node: str
    root: str
    cgroup_driver: str
    host: Host
    #: Addresses, besides the socket, at which the API is served without encryption.
    tcp: tuple[str, ...] = ()
    #: Docker Hub's mirrors, and the registries and networks that need no verified TLS.
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    #: The keys of info about proxies.
    proxies: Mapping[str, str] = field(default_factory=lambda: registry_info.proxies({}))
    labels: tuple[str, ...] = ()
    is_experimental: bool = False
    #: Whether plugins outlive an orderly end of the node.
    is_live_restore: bool = True
    is_debug: bool = False
    runtimes: Runtimes = field(default_factory=lambda: Runtimes.from_env({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is true at the moment of the request."""

    plugins: tuple[Plugin, ...]
    programs: Mapping[str, Versions]
    open_files: int
    listeners: int
    forwards_ipv4: bool
    #: RFC 3339 with nanoseconds.
    time: str


def version(engine: Engine, programs: Mapping[str, Versions]) -> dict[str, Any]:
    """Return the answer to GET /version."""
    host = engine.host
    details = {
        "ApiVersion": api_version.CURRENT,
        "Arch": host.arch,
        "BuildTime": "",
        "Experimental": str(engine.is_experimental).lower(),
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": host.kernel_version,
        "MinAPIVersion": api_version.MINIMUM,
        "Os": "linux",
    }
    components = [
        {"Name": "Engine", "Version": api_version.ENGINE, "Details": details},
        {
            "Name": "Wherry",
            "Version": VERSION,
            "Details": {"Python": platform.python_version()},
        },
        *(
            {"Name": name, "Version": found.version, "Details": _commit(found)}
            for name, found in programs.items()
        ),
    ]
    return {
        "Platform": {"Name": f"Wherry {VERSION}"},
        "Components": components,
        "Version": api_version.ENGINE,
        "ApiVersion": api_version.CURRENT,
        "MinAPIVersion": api_version.MINIMUM,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": host.arch,
        "KernelVersion": host.kernel_version,
        "BuildTime": "",
    }


def _commit(found: Versions) -> dict[str, str]:
    return {"GitCommit": found.commit} if found.commit else {}


def info(engine: Engine, now: Moment) -> dict[str, Any]:
    """Return the answer to GET /info."""
    return {
        "ID": engine.engine_id,
        **_containers(),
        "Plugins": _plugins(now.plugins),
        **engine.host.limits,
        **_process(engine, now),
        **_machine(engine),
        **registry_info.registries(
            mirrors=engine.registry_mirrors, insecure=engine.insecure_registries
        ),
        **engine.proxies,
        **_settings(engine),
        **_runtimes(engine, now),
        "Warnings": _warnings(engine) or None,
    }


def _containers() -> dict[str, Any]:
    counts = ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images")
    return {**dict.fromkeys(counts, 0), "Driver": "", "DriverStatus": None}


def _plugins(plugins: Iterable[Plugin]) -> dict[str, Any]:
    enabled = [(plugin.name, capabilities(plugin)) for plugin in plugins if plugin.enabled]

    def having(capability: str) -> list[str]:
        return sorted(name for name, has in enabled if capability in has)

    drivers: dict[str, Any] = {kind: having(capability) for kind, capability in _DRIVERS.items()}
    drivers["Volume"].insert(0, LOCAL)
    # Of log drivers Docker lists those that are built in, and never plugins.
    return {**drivers, "Log": [], "Authorization": having(_AUTHORIZATION) or None}


def _process(engine: Engine, now: Moment) -> dict[str, Any]:
    return {
        "IPv4Forwarding": now.forwards_ipv4,
        "Debug": engine.is_debug,
        "NFd": now.open_files,
        "OomKillDisable": False,
        "NGoroutines": 0,
        "SystemTime": now.time,
        "LoggingDriver": "",
        "CgroupDriver": engine.cgroup_driver,
        "CgroupVersion": engine.host.cgroup_version,
        "NEventsListener": now.listeners,
    }


def _machine(engine: Engine) -> dict[str, Any]:
    host = engine.host
    return {
        "KernelVersion": host.kernel_version,
        "OperatingSystem": host.operating_system,
        "OSVersion": host.os_version,
        "OSType": "linux",
        "Architecture": host.machine,
        "NCPU": host.cpus,
        "MemTotal": host.memory_bytes,
        "GenericResources": None,
        "DockerRootDir": engine.root,
        "Name": engine.node,
    }


def _settings(engine: Engine) -> dict[str, Any]:
    swarm = {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    }
    return {
        "Labels": list(engine.labels),
        "ExperimentalBuild": engine.is_experimental,
        "ServerVersion": api_version.ENGINE,
        "Swarm": swarm,
        "LiveRestoreEnabled": engine.is_live_restore,
        "Isolation": "",
        "SecurityOptions": [],
        "CDISpecDirs": [],
    }


def _runtimes(engine: Engine, now: Moment) -> dict[str, Any]:
    runc = now.programs.get("runc")
    none = {"ID": ""}
    return {
        "Runtimes": {name: _runtime(one) for name, one in engine.runtimes.by_name.items()},
        "DefaultRuntime": engine.runtimes.default,
        "InitBinary": "",
        "ContainerdCommit": none,
        "RuncCommit": {"ID": runc.commit if runc else ""},
        "InitCommit": none,
    }


def _runtime(runtime: OciRuntime) -> dict[str, Any]:
    args = {"runtimeArgs": list(runtime.args)} if runtime.args else {}
    return {"path": runtime.path, **args}


def _warnings(engine: Engine) -> list[str]:
    missing = [
        f"WARNING: No {name} limit support"
        for key, name in _LIMIT_NAMES.items()
        if not engine.host.limits.get(key)
    ]
    exposed = [
        f"WARNING: API is accessible on http://{address} without encryption. Whoever reaches it "
        "is root on this machine."
        for address in engine.tcp
    ]
    return exposed + missing
