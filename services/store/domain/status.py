"""A plugin's record after each thing that can happen to it."""

from __future__ import annotations

from typing import Any

from shared.contracts.executor import Container, Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact
from shared.contracts.upgrade import Upgrading

_VERDICTS = frozenset({HealthStatus.HEALTHY, HealthStatus.UNHEALTHY})

#: What no longer holds once there is no container.
NO_CONTAINER: dict[str, Any] = {
    "container_id": None,
    "pid": None,
    "socket_dir": None,
    "started_at_ns": None,
    "degraded": False,
    "ran_out_of_memory": False,
    "health": HealthStatus.NONE,
    "health_message": "",
    "was_healthy": False,
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
        message="",
        **_seen(container),
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


def observed(plugin: Plugin, container: Container) -> Plugin:
    """Return the record after its running container was looked at."""
    message = "its supervisor (conmon) died: output is lost" if container.degraded else ""
    seen = changed(plugin, message=message, **_seen(container))
    was_healthy = plugin.status.was_healthy or seen.status.was_healthy
    return changed(seen, was_healthy=was_healthy)


def fact(plugin: Plugin, action: str, time_ns: int, **attributes: str) -> Fact:
    """Return what happened to a plugin, under its canonical name."""
    return Fact(
        action=action,
        actor_id=plugin.plugin_id,
        attributes={**attributes, "name": plugin.name},
        time_ns=time_ns,
    )


def noticed(before: Plugin, now: Plugin, time_ns: int) -> tuple[Fact, ...]:
    """Return what a look at a running plugin brought to light."""
    actions = []
    if now.status.ran_out_of_memory and not before.status.ran_out_of_memory:
        actions.append("oom")
    if now.status.degraded and not before.status.degraded:
        actions.append("degraded")
    if now.status.health is not before.status.health and now.status.health in _VERDICTS:
        actions.append(f"health_status: {now.status.health}")
    return tuple(fact(now, action, time_ns) for action in actions)


def died(plugin: Plugin, ended: Exit, time_ns: int) -> tuple[Fact, ...]:
    """Return the facts that a plugin ended unasked, and that it was for want of memory."""
    attributes = {"exitCode": "unknown" if ended.exit_code is None else str(ended.exit_code)}
    if not ended.oom_killed:
        return (fact(plugin, "die", time_ns, **attributes),)
    die = fact(plugin, "die", time_ns, **attributes, oomKilled="true")
    is_told = plugin.status.ran_out_of_memory
    return (die,) if is_told else (fact(plugin, "oom", time_ns), die)


def _seen(container: Container) -> dict[str, Any]:
    return {
        "degraded": container.degraded,
        "ran_out_of_memory": container.ran_out_of_memory,
        "health": container.health,
        "health_message": container.health_message,
        "was_healthy": container.health is HealthStatus.HEALTHY,
    }


def changed(plugin: Plugin, **changes: Any) -> Plugin:
    """Return the record with parts of what is observed replaced."""
    return plugin.model_copy(update={"status": plugin.status.model_copy(update=changes)})
