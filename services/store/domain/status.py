"""A plugin's record after each thing that can happen to it."""

from __future__ import annotations

from typing import Any

from services.store.domain.restart import RestartPolicy
from shared.contracts.executor import Container, Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact

#: What no longer holds once there is no container.
_NO_CONTAINER: dict[str, Any] = {
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


def starting(plugin: Plugin) -> Plugin:
    """Return the record while its next container is being started."""
    return _with(
        plugin,
        state=PluginState.STARTING,
        container_id=next_container_id(plugin),
        starts=plugin.status.starts + 1,
        restart_at_ns=None,
    )


def running(plugin: Plugin, container: Container) -> Plugin:
    """Return the record of a plugin whose container runs and is ready."""
    return _with(
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
    return _with(plugin, state=PluginState.STOPPING, restart_at_ns=None)


def stopped(plugin: Plugin, *, message: str = "") -> Plugin:
    """Return the record of a plugin without a container that waits for no start."""
    return _with(
        plugin,
        state=PluginState.STOPPED,
        **_NO_CONTAINER,
        restarts=0,
        restart_at_ns=None,
        message=message,
    )


def exited(plugin: Plugin, ended: Exit, policy: RestartPolicy) -> Plugin:
    """Return the record of a plugin that ended unasked: its next start has a due time."""
    started_ns = plugin.status.started_at_ns or ended.exited_at_ns
    ran_s = (ended.exited_at_ns - started_ns) / 1e9
    restarts = policy.count(plugin.status.restarts, ran_s)
    due_ns = ended.exited_at_ns + int(policy.pause_s(restarts) * 1e9)
    return _restarting(plugin, restarts, due_ns, _why(ended), ended)


def not_started(plugin: Plugin, now_ns: int, message: str, policy: RestartPolicy) -> Plugin:
    """Return the record of a wished plugin whose start failed: it is tried again later."""
    restarts = plugin.status.restarts + 1
    due_ns = now_ns + int(policy.pause_s(restarts + 1) * 1e9)
    return _restarting(plugin, restarts, due_ns, message, plugin.status.last_exit)


def due_now(plugin: Plugin, now_ns: int) -> Plugin:
    """Return the record of a wished plugin that is to be started at once."""
    return _restarting(plugin, plugin.status.restarts, now_ns, "", plugin.status.last_exit)


def observed(plugin: Plugin, *, degraded: bool, health: HealthStatus, message: str) -> Plugin:
    """Return the record after its running container was looked at."""
    return _with(plugin, degraded=degraded, health=health, message=message)


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


def _restarting(
    plugin: Plugin, restarts: int, due_ns: int, message: str, ended: Exit | None
) -> Plugin:
    return _with(
        plugin,
        **_NO_CONTAINER,
        state=PluginState.RESTARTING,
        restarts=restarts,
        restart_at_ns=due_ns,
        last_exit=ended,
        message=message,
    )


def _why(ended: Exit) -> str:
    if ended.oom_killed:
        return "killed by the kernel: it used more memory than its limit"
    if ended.exit_code is None:
        return "ended; exit code unknown"
    return f"exited with code {ended.exit_code}"


def _with(plugin: Plugin, **changes: Any) -> Plugin:
    return plugin.model_copy(update={"status": plugin.status.model_copy(update=changes)})
