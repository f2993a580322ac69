"""A managed plugin that a node asks about every request: in force, disabled, missing, wrong."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.adapters.gateway import UnixGateway
from tests.support.authz import AFTER, BEFORE, AuthzPlugin, denied
from tests.support.node import Node, eventually, running_node
from tests.support.plugin_context import Contexts

_CHAIN = "WHERRY_AUTHORIZATION_PLUGINS"
_DOES = ("term=0", "listen=/run/docker/plugins/p.sock", "relay=/host/p.sock")


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Path]:
    """Give the folder in which verdicts are served to the plugin that hands them on."""
    with tempfile.TemporaryDirectory(prefix="v2-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def plugin_of_all(verdicts: Path) -> Iterator[AuthzPlugin]:
    plugin = AuthzPlugin()
    with plugin.served(verdicts / "p.sock"):
        yield plugin


@pytest.fixture(scope="module")
def shared_own(plugin_of_all: AuthzPlugin, verdicts: Path, contexts: Contexts) -> Iterator[Node]:
    """Run a node that has an authorization plugin, and a plugin that is none."""
    settings = {
        "WHERRY_V1_PLUGIN_SOCKETS": "/nowhere",
        "WHERRY_V1_PLUGIN_SPECS": "/nowhere",
        "WHERRY_STOP_GRACE_S": "1",
    }
    with running_node(settings) as node:
        node.create("guard", contexts.tar(*_DOES, **_keys(str(verdicts))))
        node.create("other", contexts.tar())
        node.enable("guard")
        node.enable("other")
        yield node
        _ask(node, "")
        node.wait_healthy()
        node.shut_down()
        assert not node.leftovers()


def _keys(folder: str) -> dict[str, Any]:
    mount = {"name": "v", "source": folder, "destination": "/host", "type": "none"}
    return {
        "interface": {"types": ["docker.authz/1.0"], "socket": "p.sock"},
        "mounts": [{**mount, "options": ["rbind"]}],
    }


@pytest.fixture
def authz(plugin_of_all: AuthzPlugin) -> AuthzPlugin:
    plugin_of_all.reset()
    return plugin_of_all


@pytest.fixture
def own(shared_own: Node, authz: AuthzPlugin) -> Iterator[Node]:
    """Give the node, whose plugins are enabled at the end."""
    with shared_own.log_shown():
        yield shared_own


def _ask(node: Node, names: str) -> None:
    """Have the node ask these plugins; a restart that it takes is begun, not waited for."""
    if node.environment.get(_CHAIN) != names:
        node.restart(**{_CHAIN: names})


@pytest.fixture
def guarded(own: Node) -> Iterator[Node]:
    """Give the node as one that asks its plugin."""
    _ask(own, "guard")
    own.wait_healthy()
    yield own
    if not own.get("/plugins/guard/json")["Enabled"]:
        own.enable("guard")


def _refusal(node: Node, path: str = "/version") -> str:
    response = node.http.get(path)
    assert response.status_code == 500
    return str(response.json()["message"])


def _complaint(node: Node) -> str:
    """Return what the health of a node says once all but its authorization is well."""

    def is_refusing() -> bool:
        health = UnixGateway(socket=node.socket).health()
        return health is not None and health.complaints.startswith("gateway: authorization: ")

    eventually(is_refusing, "only the authorization is not well")
    health = UnixGateway(socket=node.socket).health()
    assert health is not None
    return health.complaints


def test_e14_after_a_restart_the_plugin_is_asked(guarded: Node, authz: AuthzPlugin) -> None:
    """After a restart with the plugin, what it allows works, and it is named in full."""
    assert guarded.docker("plugin", "ls", "-q")
    assert authz.hooks("/plugins") == [BEFORE, AFTER]
    authz.before["/info"] = denied("no")
    message = guarded.http.get("/info").json()["message"]
    assert message == "authorization denied by plugin guard:latest: no"


def test_e16_disabling_it_takes_it_out_at_once(guarded: Node, authz: AuthzPlugin) -> None:
    """A disabled plugin is asked no more, after a crash neither; enabled again, it is."""
    authz.before["/version"] = denied("no")
    assert guarded.http.get("/version").status_code == 403
    guarded.docker("plugin", "disable", "guard")
    assert guarded.http.get("/version").status_code == 200

    guarded.kill("gateway")
    guarded.wait_healthy()
    assert guarded.http.get("/version").status_code == 200

    guarded.docker("plugin", "enable", "guard")
    assert guarded.http.get("/version").status_code == 403
    guarded.kill("gateway")
    guarded.wait_healthy()
    assert guarded.http.get("/version").status_code == 403


def test_a_plugin_that_may_not_be_disabled_stays(guarded: Node, authz: AuthzPlugin) -> None:
    """Disabling the plugin is a request that it is asked about."""
    authz.before["/disable"] = denied("I stay")
    assert "I stay" in guarded.docker_fails("plugin", "disable", "guard")
    assert guarded.get("/plugins/guard/json")["Enabled"]


def test_a_plugin_that_starts_anew_is_asked_at_its_new_socket(
    guarded: Node, authz: AuthzPlugin
) -> None:
    """After its process was killed the plugin is restarted, and asked again."""
    os.kill(guarded.status("guard")["pid"], signal.SIGKILL)
    eventually(lambda: guarded.http.get("/version").status_code == 200, "it is asked again")
    assert authz.hooks("/version")[-2:] == [BEFORE, AFTER]


def test_e17_e18_plugins_that_cannot_be_asked(own: Node) -> None:
    """A node whose plugins are of another kind or not there allows nothing, and says why."""
    _ask(own, "other,nobody")
    wrong = 'plugin does not provide "authz" capability'
    missing = 'plugin "nobody" not found'
    complaint = _complaint(own)
    assert f"other: {wrong}" in complaint
    assert f"nobody: {missing}" in complaint
    assert _refusal(own).startswith(f"plugin other failed with error: {wrong}: until it can be")
    assert _refusal(own, "/wherry/v1/plugins")

    _ask(own, "nobody")
    _complaint(own)
    assert _refusal(own).startswith(f"plugin nobody failed with error: {missing}: until it can be")


def test_a_plugin_that_is_disabled_at_the_start(guarded: Node) -> None:
    """A node that finds its plugin disabled allows nothing: nobody allowed that while it ran."""
    guarded.disable("guard")
    guarded.restart()
    assert "guard: plugin guard found but disabled" in _complaint(guarded)
    assert "plugin guard found but disabled" in _refusal(guarded)
    _ask(guarded, "")
    guarded.wait_healthy()
