"""A plugin's record after each thing that can happen to it."""

from __future__ import annotations

from typing import Any

from shared.contracts.executor import Container, Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact
from shared.contracts.upgrade import Upgrading

#: What no longer holds once there is no container.
NO_CONTAINER: dict[str, Any] = {
    "container_id": None,
    "pid": None,
    "socket_dir": None,
    "started_at_ns": None,
    "degraded": False,
    "health": HealthStatus.NONE,
}


def next_container_id(plugin: Plugin) -> str:
    """Return the id of the container that the plugin's next start makes."""
    return f"{plugin.plugin_id[:12]}-{plugin.status.starts + 1}"


def starting(plugin: Plugin, *, anew: bool = False) -> Plugin:
    """Return the record while its next container is being started; *anew* counts from none."""
    return changed(
        plugin,
        state=PluginState.STARTING,
        container_id=next_container_id(plugin),
        starts=plugin.status.starts + 1,
        restarts=0 if anew else plugin.status.restarts,
        restart_at_ns=None,
    )


def starting_in(plugin: Plugin, container_id: str) -> Plugin:
    """Return the record while a container whose number was taken before is being started."""
    return changed(plugin, state=PluginState.STARTING, container_id=container_id, restarts=0)


def counted(plugin: Plugin) -> Plugin:
    """Return the record once the number of its next container is taken."""
    return changed(plugin, starts=plugin.status.starts + 1)


def upgrading(plugin: Plugin, upgrade: Upgrading | None) -> Plugin:
    """Return the record with the upgrade that has the plugin; None when none has it any more."""
    return changed(plugin, upgrading=upgrade)


def running(plugin: Plugin, container: Container) -> Plugin:
    """Return the record of a plugin whose container runs and is ready."""
    return changed(
        plugin,
        state=PluginState.RUNNING,
        container_id=container.container_id,
        pid=container.pid,
        socket_dir=container.socket_dir,
        started_at_ns=container.started_at_ns,
        restart_at_ns=None,
        degraded=container.degraded,
        health=container.health,
        message="",
    )


def stopping(plugin: Plugin) -> Plugin:
    """Return the record while its container is being stopped."""
    return changed(plugin, state=PluginState.STOPPING, restart_at_ns=None)


def stopped(plugin: Plugin, *, message: str = "") -> Plugin:
    """Return the record of a plugin without a container that waits for no start."""
    return changed(
        plugin,
        state=PluginState.STOPPED,
        **NO_CONTAINER,
        restarts=0,
        restart_at_ns=None,
        message=message,
    )


def observed(plugin: Plugin, *, degraded: bool, health: HealthStatus, message: str) -> Plugin:
    """Return the record after its running container was looked at."""
    return changed(plugin, degraded=degraded, health=health, message=message)


def fact(plugin: Plugin, action: str, time_ns: int, **attributes: str) -> Fact:
    """Return what happened to a plugin, under its canonical name."""
    return Fact(
        action=action,
        actor_id=plugin.plugin_id,
        attributes={**attributes, "name": plugin.name},
        time_ns=time_ns,
    )


def die(plugin: Plugin, ended: Exit, time_ns: int) -> Fact:
    """Return the fact that a plugin ended unasked."""
    attributes = {"exitCode": "unknown" if ended.exit_code is None else str(ended.exit_code)}
    if ended.oom_killed:
        attributes["oomKilled"] = "true"
    return fact(plugin, "die", time_ns, **attributes)


def changed(plugin: Plugin, **changes: Any) -> Plugin:
    """Return the record with parts of what is observed replaced."""
    return plugin.model_copy(update={"status": plugin.status.model_copy(update=changes)})
