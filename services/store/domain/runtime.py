"""How a plugin runs: its config and settings as a container."""

from __future__ import annotations

from typing import Any

from services.store.domain import secret
from services.store.domain.plugin_config import config_of, settings_of
from shared import errdefs
from shared.contracts.executor import (
    ContainerConfig,
    ContainerMount,
    HealthCheck,
    NoNewPrivileges,
    PropagatedMount,
    Ready,
    Seccomp,
)
from shared.contracts.plugin import Plugin
from shared.oci import networks
from shared.oci.plugin_config import PluginConfig, PluginMount


def container_config(
    plugin: Plugin,
    *,
    rootfs: str,
    propagated: str,
    seccomp: Seccomp = Seccomp.DEFAULT,
    no_new_privileges: NoNewPrivileges = NoNewPrivileges.ROOT,
) -> ContainerConfig:
    """Return the container that runs a plugin from host folders *rootfs* and *propagated*.

    Raises InvalidArgument in dockerd's words when a setting that it needs is missing, and
    Unimplemented for a network that the node does not have.
    """
    config = config_of(plugin)
    settings = settings_of(plugin)
    networks.require_available(config, plugin.name)
    return ContainerConfig(
        rootfs=rootfs,
        args=(*(config.entrypoint or ()), *map(secret.placed, settings.args)),
        env=tuple(map(secret.placed, settings.env)),
        cwd=config.work_dir or "/",
        uid=config.user.uid,
        gid=config.user.gid,
        capabilities=config.linux.capabilities or (),
        host_network=config.network.type == "host",
        host_pid=config.pid_host,
        host_ipc=config.ipc_host,
        host_names=config.network.type != "",
        mounts=tuple(_mount(mount) for mount in settings.mounts),
        devices=tuple(_device(device.path) for device in settings.devices),
        allow_all_devices=config.linux.allow_all_devices,
        propagated_mount=_propagated(config, propagated),
        resources=plugin.resources,
        seccomp=seccomp,
        no_new_privileges=_gains_nothing(config, no_new_privileges),
    )


def _gains_nothing(config: PluginConfig, wish: NoNewPrivileges) -> bool:
    is_root = config.user.uid == 0
    return wish is NoNewPrivileges.ALL or (wish is NoNewPrivileges.ROOT and is_root)


def ready(plugin: Plugin, deadline_s: float) -> Ready:
    """Return when the plugin counts as ready: its socket accepts a connection."""
    socket = config_of(plugin).interface.socket
    if not socket:
        raise errdefs.InvalidArgument(
            f"plugin {plugin.name} names no socket (Interface.Socket in its config.json), so "
            "nothing could ever call it: create it again with one",
            docker_unclassed=True,
        )
    return Ready(unix_socket=socket, deadline_s=deadline_s)


def health_check(plugin: Plugin) -> HealthCheck | None:
    """Return how its container is asked whether it still works; None when it is not."""
    health = plugin.supervised.health
    socket = config_of(plugin).interface.socket
    ways: dict[str, Any]
    match health.test:
        case ("CONNECT",):
            ways = {"unix_socket": socket}
        case ("CALL", method):
            ways = {"unix_socket": socket, "call": method}
        case ("CMD", *args):
            ways = {"exec": tuple(args)}
        case _:
            return None
    times = health.model_dump(include={"interval_s", "timeout_s", "start_period_s", "retries"})
    return HealthCheck(**ways, **times)


def _mount(mount: PluginMount) -> ContainerMount:
    if mount.source is None:
        raise errdefs.InvalidArgument("mount source is not specified", docker_unclassed=True)
    return ContainerMount(
        type=mount.type,
        source=mount.source,
        destination=mount.destination,
        options=mount.options or (),
    )


def _device(path: str | None) -> str:
    if path is None:
        raise errdefs.InvalidArgument(
            'error gathering device information while adding custom device "": '
            "no path is set: give the device one with `docker plugin set`",
            docker_unclassed=True,
        )
    return path


def _propagated(config: PluginConfig, host_folder: str) -> PropagatedMount | None:
    if not config.propagated_mount:
        return None
    return PropagatedMount(source=host_folder, destination=config.propagated_mount)
