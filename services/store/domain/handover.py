"""The upgrade of a plugin that is enabled: its journal, the order of its phases, its judgements."""

from __future__ import annotations

from typing import Any

from shared import errdefs
from shared.contracts.executor import Container, ContainerStatus, HealthStatus
from shared.contracts.message import Value
from shared.contracts.plugin import Plugin
from shared.contracts.reference import Reference
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy

_ORDER = {
    # The swap is committed with the stop, and the end with the last phase: nothing is left to do.
    UpgradeStrategy.STOP_FIRST: (
        UpgradePhase.STOP,
        UpgradePhase.START,
        UpgradePhase.MONITOR,
        UpgradePhase.COMMIT,
    ),
    UpgradeStrategy.START_FIRST: (
        UpgradePhase.START,
        UpgradePhase.SWAP,
        UpgradePhase.MONITOR,
        UpgradePhase.DRAIN,
        UpgradePhase.COMMIT,
    ),
}
#: From here on the new version stays.
_SETTLED = frozenset({UpgradePhase.DRAIN, UpgradePhase.COMMIT})
#: Of start-first, while the old version is the one that is called.
_BESIDE = frozenset({UpgradePhase.START, UpgradePhase.SWAP})


class Handover(Value):
    """The journal of the upgrade from one running version to another, once it is decided."""

    strategy: UpgradeStrategy
    #: The plugin as it was when the new version took its place.
    old: Plugin
    #: What it becomes.
    new: Plugin
    #: The new version's.
    container_id: str
    #: When the present phase is over at the latest.
    due_ns: int = 0
    #: Why it is rolled back.
    error: dict[str, Any] | None = None


def first_phase(strategy: UpgradeStrategy) -> UpgradePhase:
    """Return what follows the prefetch."""
    return _ORDER[strategy][0]


def next_phase(strategy: UpgradeStrategy, phase: UpgradePhase) -> UpgradePhase:
    """Return what follows a phase that went well."""
    order = _ORDER[strategy]
    return order[order.index(phase) + 1]


def has_left(strategy: UpgradeStrategy, phase: UpgradePhase) -> bool:
    """Tell whether a phase is the end, and finds nothing of the old version but its files."""
    return phase is UpgradePhase.COMMIT and strategy is UpgradeStrategy.STOP_FIRST


def is_revocable(phase: UpgradePhase | None) -> bool:
    """Tell whether an upgrade can still be turned back."""
    return phase not in _SETTLED and phase is not UpgradePhase.ROLLBACK


def is_in_charge(strategy: UpgradeStrategy, phase: UpgradePhase | None) -> bool:
    """Tell whether the upgrade, and not the supervisor, decides what follows an exit."""
    if phase in _SETTLED:
        return False
    return not (strategy is UpgradeStrategy.START_FIRST and phase in _BESIDE)


def beside(journal: Handover, phase: UpgradePhase) -> str | None:
    """Return the container that runs beside the one that is called, if the strategy has one."""
    if journal.strategy is UpgradeStrategy.STOP_FIRST:
        return None
    return journal.container_id if phase in _BESIDE else journal.old.status.container_id


def containers(journal: Handover) -> frozenset[str | None]:
    """Return the containers that are the upgrade's to end."""
    return frozenset({journal.container_id, journal.old.status.container_id})


def require_allowed(strategy: UpgradeStrategy, plugin: Plugin, *, is_new: bool = False) -> None:
    """Raise unless an enabled plugin, or what it becomes, may be upgraded so.

    Conflict in dockerd's words for its own rule; InvalidArgument where two versions must not run
    side by side.
    """
    if strategy is UpgradeStrategy.DISABLED:
        raise errdefs.Conflict(
            f"plugin must be disabled before upgrading: plugin {plugin.name} is enabled",
            detail={"plugin": plugin.name},
        )
    if strategy is UpgradeStrategy.START_FIRST and not plugin.extension.handover:
        version = "new version" if is_new else "installed version"
        raise errdefs.InvalidArgument(
            f"the {version} of plugin {plugin.name} does not declare "
            '"Wherry": {"Handover": true} in its config.json, so two versions must not run side '
            "by side: upgrade it with strategy "
            f"{UpgradeStrategy.STOP_FIRST}, which stops it for a moment",
            detail={"plugin": plugin.name},
        )


def is_passing(error: errdefs.Error) -> bool:
    """Tell whether a start failed for want of a part that may come back, and not by the plugin."""
    if isinstance(error, errdefs.DeadlineExceeded):
        return not error.docker_unclassed
    return isinstance(error, errdefs.Unavailable)


def well(container: Container | None, container_id: str) -> Container:
    """Return the new version's container; raises Conflict saying why it does not last."""
    if container is None:
        raise errdefs.Conflict(f"container {container_id} of the new version is gone")
    if container.status is ContainerStatus.EXITED:
        ended = container.exit
        code = "unknown" if ended is None or ended.exit_code is None else ended.exit_code
        memory = ": it used more memory than its limit" if ended and ended.oom_killed else ""
        raise errdefs.Conflict(f"the new version ended with exit code {code}{memory}")
    if container.health is HealthStatus.UNHEALTHY:
        told = f": {container.health_message}" if container.health_message else ""
        raise errdefs.Conflict(f"the new version became unhealthy{told}")
    return container


def is_undecided(container: Container | None) -> bool:
    """Tell whether a running container's health check has come to no verdict yet."""
    return (
        container is not None
        and container.status is not ContainerStatus.EXITED
        and container.health is HealthStatus.STARTING
    )


def counts_on_old(lease: Reference, journal: Handover) -> bool:
    """Tell whether a lease was acquired, and last renewed, before the new version took over."""
    if lease.container_id in (None, journal.old.status.container_id):
        return True
    return _number(lease.container_id or "") < _number(journal.container_id)


def failure(journal: Handover, *, is_running: bool) -> errdefs.Error:
    """Return what a person hears of an upgrade that was rolled back."""
    error = errdefs.from_wire(journal.error or {})
    state = "is being started again"
    if is_running:
        was_stopped = journal.strategy is UpgradeStrategy.STOP_FIRST
        state = "runs again" if was_stopped else "runs on"
    return type(error)(
        f"plugin {journal.old.name} was not upgraded, its old version {state}: {error.message}",
        detail=error.detail,
    )


def _number(container_id: str) -> int:
    return int(container_id.rpartition("-")[2])
