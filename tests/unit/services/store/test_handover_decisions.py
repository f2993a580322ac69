"""What the upgrade of an enabled plugin decides, without anything running."""

from __future__ import annotations

import pytest

from services.store.domain import handover
from services.store.domain.handover import Handover
from shared import errdefs
from shared.contracts.executor import Container, ContainerStatus, Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginStatus
from shared.contracts.reference import Reference
from shared.contracts.upgrade import UpgradePhase as Phase
from shared.contracts.upgrade import UpgradeStrategy

STOP_FIRST, START_FIRST = UpgradeStrategy.STOP_FIRST, UpgradeStrategy.START_FIRST


def plugin(container_id: str | None = "p-7") -> Plugin:
    """Return a plugin that runs in a container."""
    return Plugin(
        plugin_id="p" * 64,
        name="p:latest",
        reference="p:latest",
        enabled=True,
        config={},
        settings={},
        config_digest="",
        manifest_digest="",
        created_at_ns=0,
        status=PluginStatus(container_id=container_id),
    )


def journal(strategy: UpgradeStrategy = START_FIRST) -> Handover:
    """Return the journal of an upgrade whose new version runs in p-8."""
    return Handover(strategy=strategy, old=plugin(), new=plugin(None), container_id="p-8")


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (STOP_FIRST, [Phase.STOP, Phase.START, Phase.MONITOR, Phase.COMMIT]),
        (START_FIRST, [Phase.START, Phase.SWAP, Phase.MONITOR, Phase.DRAIN, Phase.COMMIT]),
    ],
)
def test_each_strategy_has_its_order(strategy: UpgradeStrategy, order: list[Phase]) -> None:
    """The phases follow one another up to the commit."""
    phases = [handover.first_phase(strategy)]
    while phases[-1] is not Phase.COMMIT:
        phases.append(handover.next_phase(strategy, phases[-1]))
    assert phases == order


@pytest.mark.parametrize("phase", Phase)
def test_what_has_lasted_is_not_turned_back(phase: Phase) -> None:
    """An upgrade can be cancelled until its new version has lasted."""
    settled = {Phase.DRAIN, Phase.COMMIT, Phase.ROLLBACK}
    assert handover.is_revocable(phase) == (phase not in settled)


@pytest.mark.parametrize(
    ("strategy", "phases"),
    [
        (STOP_FIRST, {Phase.STOP, Phase.SWAP, Phase.START, Phase.MONITOR, Phase.ROLLBACK}),
        (START_FIRST, {Phase.MONITOR, Phase.ROLLBACK}),
    ],
)
def test_one_of_two_decides_what_follows_an_exit(
    strategy: UpgradeStrategy, phases: set[Phase]
) -> None:
    """The supervisor has the old version until it is touched, and the new one once it lasted."""
    never = Phase.DRAIN if strategy is STOP_FIRST else Phase.STOP
    journalled = set(Phase) - {Phase.PREFETCH, never}
    assert {p for p in journalled if handover.is_in_charge(strategy, p)} == phases


@pytest.mark.parametrize(
    ("phase", "beside"),
    [
        (Phase.START, "p-8"),
        (Phase.SWAP, "p-8"),
        (Phase.MONITOR, "p-7"),
        (Phase.DRAIN, "p-7"),
        (Phase.COMMIT, "p-7"),
    ],
)
def test_the_other_container_is_shown(phase: Phase, beside: str) -> None:
    """Before the swap the new version runs beside, then the old one; stop-first has no other."""
    assert handover.beside(journal(), phase) == beside
    assert handover.beside(journal(STOP_FIRST), phase) is None


@pytest.mark.parametrize(
    ("container_id", "counts"),
    [(None, True), ("p-6", True), ("p-7", True), ("p-8", False), ("p-9", False)],
)
def test_leases_older_than_the_swap_count_on_the_old_version(
    container_id: str | None, counts: bool
) -> None:
    """What was renewed on the new version, or on a later start of it, counts on it no more."""
    lease = Reference(
        plugin_id="p",
        owner="volume/v",
        capability="volumedriver",
        since_ns=0,
        ttl_s=1,
        until_ns=1,
        container_id=container_id,
    )
    assert handover.counts_on_old(lease, journal()) == counts


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (errdefs.Unavailable("away"), True),
        (errdefs.DeadlineExceeded("no answer"), True),
        (errdefs.DeadlineExceeded("was not ready", docker_unclassed=True), False),
        (errdefs.Error("exited with code 1", docker_unclassed=True), False),
        (errdefs.PermissionDenied("asks for more"), False),
        (errdefs.ResourceExhausted("the disk is full"), False),
    ],
)
def test_only_parts_that_are_away_are_waited_for(error: errdefs.Error, passes: bool) -> None:
    """What the plugin itself, or the disk, is to blame for ends the upgrade."""
    assert handover.is_passing(error) == passes


def test_a_version_is_well_while_it_runs_and_no_check_fails() -> None:
    """An exit, a verdict of its health check or its absence is an error that says so."""
    runs = Container(container_id="p-8", status=ContainerStatus.RUNNING, socket_dir="/s")
    assert handover.well(runs, "p-8") is runs
    oom = Exit(exit_code=137, oom_killed=True, exited_at_ns=1)
    for found, why in (
        (None, "container p-8 of the new version is gone"),
        (
            runs.model_copy(update={"status": ContainerStatus.EXITED, "exit": oom}),
            "the new version ended with exit code 137: it used more memory than its limit",
        ),
        (
            runs.model_copy(update={"health": HealthStatus.UNHEALTHY, "health_message": "no"}),
            "the new version became unhealthy: no",
        ),
    ):
        with pytest.raises(errdefs.Conflict) as ailment:
            handover.well(found, "p-8")
        assert ailment.value.message == why
