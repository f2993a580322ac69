"""The units, run by a systemd that is the first process of namespaces of its own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from services.cli.adapters.gateway import UnixGateway
from tests.support.booted import Booted, new_folder
from tests.support.node import SERVICES, eventually, is_running
from tests.support.node_api import NodeApi
from tests.support.plugin_context import Contexts

#: The first one installs and boots.
pytestmark = pytest.mark.timeout(600)

_UNITS = tuple(f"wherry-{name}.service" for name in ("redis", *SERVICES))
#: Sooner than the unit has it, so that the test need not wait long.
_WATCHDOG = "[Service]\nWatchdogSec=5\n"


@pytest.fixture(scope="module")
def system() -> Iterator[Booted]:
    """Boot a system with Wherry installed, and start its target as the how-to says."""
    folder = new_folder()
    booted = Booted(folder)
    try:
        booted.install()
        booted.drop_in("wherry-event.service", _WATCHDOG)
        booted.boot()
        booted.systemctl("enable", "--now", "--no-block", "wherry.target")
        yield booted
    finally:
        booted.end()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Compile the program of the tests' plugins."""
    return Contexts.compiled(tmp_path_factory.mktemp("program"))


@pytest.fixture
def api(system: Booted, contexts: Contexts) -> Iterator[NodeApi]:
    """Give the node's API, with a plugin `p` that runs; all is started again after the test."""
    _wait_well(system)
    api = system.api()
    api.create("p", contexts.tar())
    api.enable("p")
    yield api
    system.systemctl("start", "wherry.target", *_UNITS)
    _wait_well(system)
    api.remove_all()
    api.http.close()


def test_a_unit_is_active_once_its_service_is_ready(system: Booted, api: NodeApi) -> None:
    """Each service told systemd so itself; the plugin that they run is no part of a unit."""
    plugin = api.status("p")["pid"]

    for unit in _UNITS:
        assert (system.show(unit, "Type"), system.show(unit, "SubState")) == ("notify", "running")
    cgroups = system.run("cat", f"/proc/{plugin}/cgroup").splitlines()
    assert not any("wherry-executor.service" in line for line in cgroups)


def test_a_service_that_is_killed_is_started_again(system: Booted, api: NodeApi) -> None:
    """All of them at once, and Redis: each has another process, the plugin the same."""
    plugin = system.outside(api.status("p")["pid"])
    before = {unit: system.main_pid(unit) for unit in _UNITS}

    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for unit in _UNITS:
        eventually(partial(_is_another, system, unit, before[unit]), f"{unit} is back")
    _wait_well(system)

    assert all(int(system.show(unit, "NRestarts")) >= 1 for unit in _UNITS)
    assert system.outside(api.status("p")["pid"]) == plugin


def test_a_service_that_hangs_is_ended_by_its_watchdog(system: Booted, api: NodeApi) -> None:
    """One whose event loop turns no more is killed, and started again."""
    unit = "wherry-event.service"
    hung = system.main_pid(unit)

    os.kill(hung, signal.SIGSTOP)
    eventually(partial(_is_another, system, unit, hung), "another process is there")
    _wait_well(system)

    assert "watchdog" in system.run("journalctl", "--unit", unit, "--no-pager").lower()
    assert api.status("p")["state"] == "running"


def test_stopping_one_service_leaves_plugins_alone(system: Booted, api: NodeApi) -> None:
    """The executor's unit is stopped and started: plugin and conmon are the same processes."""
    plugin = system.outside(api.status("p")["pid"])

    system.systemctl("stop", "wherry-executor.service")
    assert system.show("wherry-executor.service", "ActiveState") == "inactive"
    assert is_running(plugin)
    system.systemctl("start", "wherry-executor.service")
    _wait_well(system)

    assert system.outside(api.status("p")["pid"]) == plugin
    assert api.status("p")["degraded"] is False


def test_stopping_the_target_stops_plugins(system: Booted, api: NodeApi) -> None:
    """They are stopped before the services are, and run again when it is started."""
    plugin = system.outside(api.status("p")["pid"])

    system.systemctl("stop", "wherry.target")
    eventually(lambda: not is_running(plugin), "the plugin is gone")
    eventually(lambda: not any(map(system.is_active, _UNITS)), "no unit is active")
    system.systemctl("start", "wherry.target")
    _wait_well(system)

    eventually(lambda: api.status("p")["state"] == "running", "the plugin runs again")


def test_no_unit_has_failed(system: Booted, api: NodeApi) -> None:
    """What was started, stopped and killed before has left none in that state."""
    assert api.get("/plugins")
    assert system.systemctl("list-units", "--state=failed", "--plain", "--no-legend") == ""


def _is_another(system: Booted, unit: str, before: int) -> bool:
    return system.main_pid(unit) not in {0, before}


def _wait_well(system: Booted) -> None:
    eventually(lambda: system.is_active(*_UNITS), "all units are active")
    eventually(lambda: _is_healthy(system), "the node is healthy")


def _is_healthy(system: Booted) -> bool:
    health = UnixGateway(socket=system.inside("/run/wherry/docker.sock")).health()
    return health is not None and health.healthy
