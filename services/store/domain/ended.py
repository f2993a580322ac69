"""A plugin's record after it ended unasked, or did not start: is it started again, and when."""

from __future__ import annotations

from services.store.domain import restart, status
from services.store.domain.restart import Backoff
from shared.contracts.executor import Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.store import Fact
from shared.contracts.supervision import OnUnhealthy, RestartPolicyName

#: What a person does about a plugin that its policy starts no more.
_ADVICE = "`docker plugin enable` starts it, and so does another restart policy"


def exited(plugin: Plugin, ended: Exit, backoff: Backoff) -> Plugin:
    """Return the record of a plugin that ended unasked: due again, or left by its policy."""
    is_sick = plugin.status.health is HealthStatus.UNHEALTHY
    started_ns = plugin.status.started_at_ns or ended.exited_at_ns
    # What was never well has not lasted, however long that took to find out.
    lasted_ns = 0 if is_sick and not plugin.status.was_healthy else ended.exited_at_ns - started_ns
    restarts = backoff.count(plugin.status.restarts, lasted_ns / 1e9)
    failed = ended.exit_code != 0 or ended.oom_killed or is_sick
    why = _how(ended)
    if is_sick:
        why = f"{why} while unhealthy: {plugin.status.health_message}"
    refusal = restart.refusal(plugin.supervised.restart_policy, failed=failed, restarts=restarts)
    if refusal:
        return _left(plugin, restarts, f"{why}; {refusal}", ended)
    due_ns = ended.exited_at_ns + int(backoff.pause_s(restarts) * 1e9)
    return _restarting(plugin, restarts, due_ns, why, ended)


def is_to_be_stopped(plugin: Plugin) -> bool:
    """Tell whether a running plugin is to be stopped for its health, and started anew."""
    supervised = plugin.supervised
    return (
        plugin.status.health is HealthStatus.UNHEALTHY
        and supervised.health.on_unhealthy is OnUnhealthy.RESTART
        and supervised.restart_policy.name is not RestartPolicyName.NO
    )


def not_started(plugin: Plugin, now_ns: int, message: str, backoff: Backoff) -> Plugin:
    """Return the record of a wished plugin whose start failed: tried again later, or left."""
    restarts = plugin.status.restarts + 1
    refusal = restart.refusal(plugin.supervised.restart_policy, failed=True, restarts=restarts)
    if refusal:
        return _left(plugin, restarts, f"{message}; {refusal}", plugin.status.last_exit)
    return _again(plugin, restarts, now_ns, message, backoff)


def put_off(plugin: Plugin, now_ns: int, message: str, backoff: Backoff) -> Plugin:
    """Return the record of a plugin whose start was called off, which is no fault of its own."""
    return _again(plugin, plugin.status.restarts, now_ns, message, backoff)


def waiting(plugin: Plugin, why: str) -> Plugin:
    """Return the record of a plugin that is due, and waits for what it requires."""
    return status.changed(plugin, message=f"waits: {why}")


def due_now(plugin: Plugin, now_ns: int) -> Plugin:
    """Return the record of a wished plugin that is to be started at once."""
    return _restarting(plugin, plugin.status.restarts, now_ns, "", plugin.status.last_exit)


def under_new_policy(plugin: Plugin, now_ns: int) -> Plugin:
    """Return the record once its restart policy has changed: one that ended may start anew."""
    is_no = plugin.supervised.restart_policy.name is RestartPolicyName.NO
    if plugin.status.state is PluginState.EXITED and not is_no:
        return due_now(status.changed(plugin, restarts=0), now_ns)
    if plugin.status.state is PluginState.RESTARTING and is_no:
        refusal = restart.refusal(plugin.supervised.restart_policy, failed=True, restarts=0)
        message = f"{plugin.status.message}; {refusal}".removeprefix("; ")
        return _left(plugin, plugin.status.restarts, message, plugin.status.last_exit)
    return plugin


def still_exited(plugin: Plugin, message: str) -> Plugin:
    """Return the record of a plugin that its policy had left, after a start by hand failed."""
    return _left(plugin, plugin.status.restarts, message, plugin.status.last_exit)


def not_restarted(plugin: Plugin, time_ns: int) -> tuple[Fact, ...]:
    """Return the fact that a plugin's policy starts it no more, if that is so."""
    if plugin.status.state is not PluginState.EXITED:
        return ()
    said = {
        "restartPolicy": str(plugin.supervised.restart_policy),
        "reason": plugin.status.message,
    }
    return (status.fact(plugin, "not_restarted", time_ns, **said),)


def _again(plugin: Plugin, restarts: int, now_ns: int, message: str, backoff: Backoff) -> Plugin:
    due_ns = now_ns + int(backoff.pause_s(restarts + 1) * 1e9)
    return _restarting(plugin, restarts, due_ns, message, plugin.status.last_exit)


def _restarting(
    plugin: Plugin, restarts: int, due_ns: int, message: str, ended: Exit | None
) -> Plugin:
    return status.changed(
        plugin,
        **status.NO_CONTAINER,
        state=PluginState.RESTARTING,
        restarts=restarts,
        restart_at_ns=due_ns,
        last_exit=ended,
        message=message,
    )


def _left(plugin: Plugin, restarts: int, message: str, ended: Exit | None) -> Plugin:
    return status.changed(
        plugin,
        **status.NO_CONTAINER,
        state=PluginState.EXITED,
        restarts=restarts,
        restart_at_ns=None,
        last_exit=ended,
        message=f"{message}: {_ADVICE}",
    )


def _how(ended: Exit) -> str:
    if ended.oom_killed:
        return "killed by the kernel: it used more memory than its limit"
    if ended.exit_code is None:
        return "ended; exit code unknown"
    return f"exited with code {ended.exit_code}"
