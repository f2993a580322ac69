"""How a plugin is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.domain import plugin_view
from services.gateway.domain.plugin_view import STATES, PluginFilterView
from shared.contracts.executor import Exit, HealthStatus
from shared.contracts.plugin import PluginState, PluginStatus
from shared.contracts.upgrade import UpgradePhase, UpgradeStrategy, Upgrading
from tests.support.gateway import plugin

_UPGRADING = Upgrading(job_id="j", strategy=UpgradeStrategy.STOP_FIRST, phase=UpgradePhase.STOP)
_CRASHED = Exit(exit_code=3, exited_at_ns=1)


def _status(**status: Any) -> PluginStatus:
    return PluginStatus(**status)


@pytest.mark.parametrize(
    ("enabled", "status", "state", "explanation"),
    [
        pytest.param(True, _status(state=PluginState.RUNNING), "running", "", id="running"),
        pytest.param(True, _status(state=PluginState.STARTING), "starting", "", id="starting"),
        pytest.param(False, _status(state=PluginState.STOPPING), "stopping", "", id="stopping"),
        pytest.param(False, _status(), "disabled", "", id="disabled"),
        pytest.param(True, _status(message="why"), "waiting", "why", id="wished, not running"),
        pytest.param(
            True,
            _status(state=PluginState.RUNNING, degraded=True),
            "degraded",
            "its supervisor died: no output is kept until its next start",
            id="degraded",
        ),
        pytest.param(
            True,
            _status(state=PluginState.RUNNING, health=HealthStatus.UNHEALTHY),
            "unhealthy",
            "its health check fails",
            id="unhealthy",
        ),
        pytest.param(
            True,
            _status(state=PluginState.RESTARTING, restarts=2, last_exit=_CRASHED),
            "restarting",
            "2 runs in a row did not last · it ended with exit code 3",
            id="restarting",
        ),
        pytest.param(
            True,
            _status(
                state=PluginState.EXITED,
                restarts=1,
                last_exit=Exit(exit_code=None, exited_at_ns=1),
            ),
            "exited",
            "1 run in a row did not last · it ended, nobody knows how",
            id="exited",
        ),
        pytest.param(
            True,
            _status(state=PluginState.RUNNING, upgrading=_UPGRADING),
            "upgrading",
            "stop-first: stop",
            id="upgrading",
        ),
    ],
)
def test_states(*, enabled: bool, status: PluginStatus, state: str, explanation: str) -> None:
    """Each state has a word and a tone, and says what there is to say."""
    one = plugin(enabled=enabled, status=status)
    assert (plugin_view.state_of(one), plugin_view.explanation(one)) == (state, explanation)
    assert state in STATES


def test_every_observed_state_has_a_word() -> None:
    """No state that the store may tell is without a tone."""
    for state in PluginState:
        assert plugin_view.state_of(plugin(status=_status(state=state))) in STATES


def test_out_of_memory() -> None:
    """An end for want of memory says so."""
    killed = Exit(exit_code=137, oom_killed=True, exited_at_ns=1)
    assert plugin_view.ending(killed) == "it was killed for want of memory"
    assert not plugin_view.ending(None)


def test_counts() -> None:
    """All states are counted, those of nobody as none."""
    counts = plugin_view.counts([plugin("a"), plugin("b")])
    assert counts["disabled"] == 2
    assert [*counts] == [*STATES]
    assert sum(counts.values()) == 2


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        pytest.param(PluginFilterView(), True, id="all"),
        pytest.param(PluginFilterView(text="PLUGIN"), True, id="name, in any case"),
        pytest.param(PluginFilterView(text="aaaa"), True, id="id"),
        pytest.param(PluginFilterView(text="sshfs"), False, id="another name"),
        pytest.param(PluginFilterView(state="disabled"), True, id="state"),
        pytest.param(PluginFilterView(state="running"), False, id="another state"),
        pytest.param(PluginFilterView(capability="volumedriver"), True, id="capability"),
        pytest.param(PluginFilterView(capability="authz"), False, id="another capability"),
    ],
)
def test_filter(wanted: PluginFilterView, *, shown: bool) -> None:
    """A filter takes what fits all of its words."""
    assert wanted.shows(plugin("a")) is shown
