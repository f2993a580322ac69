"""Authorization plugins: a legacy one that a whole node asks about every request."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import httpx
import pytest

from tests.support.authz import AFTER, BEFORE, AuthzPlugin, denied, failed
from tests.support.node import Node, eventually, running_node
from tests.support.plugin_context import Contexts


@pytest.fixture(scope="module")
def plugin_of_all() -> AuthzPlugin:
    return AuthzPlugin()


@pytest.fixture(scope="module")
def shared_guarded(plugin_of_all: AuthzPlugin) -> Iterator[Node]:
    """Run a node that asks a legacy plugin, named twice, for the whole module."""
    with tempfile.TemporaryDirectory(prefix="v1-", dir="/tmp") as folder:
        settings = {
            "WHERRY_AUTHORIZATION_PLUGINS": "old,old",
            "WHERRY_AUTHORIZATION_TIMEOUT_S": "2",
            "WHERRY_V1_PLUGIN_SOCKETS": folder,
            "WHERRY_V1_PLUGIN_SPECS": f"{folder}/none",
            "WHERRY_STOP_GRACE_S": "1",
        }
        with plugin_of_all.served(Path(folder) / "old.sock"), running_node(settings) as node:
            yield node
            plugin_of_all.reset()
            # Root stops the node without leave: it is not asked about.
            plugin_of_all.before["/"] = denied("nothing at all")
            assert node.http.get("/version").status_code == 403
            node.shut_down()
            assert not node.leftovers()


@pytest.fixture
def authz(plugin_of_all: AuthzPlugin) -> AuthzPlugin:
    plugin_of_all.reset()
    return plugin_of_all


@pytest.fixture
def guarded(shared_guarded: Node, authz: AuthzPlugin) -> Iterator[Node]:
    """Give the node without plugins of its own, and what it asks of with an empty mind."""
    with shared_guarded.log_shown():
        yield shared_guarded
        authz.reset()
        shared_guarded.remove_all()


def _message(response: httpx.Response) -> str:
    return str(response.json()["message"])


def test_e01_each_hook_is_asked_once(guarded: Node, authz: AuthzPlugin) -> None:
    """A plugin that allows all sees each request before and after, and what it is about."""
    assert guarded.docker("version")
    assert authz.hooks("/version") == [BEFORE, AFTER]
    before, after = authz.last(BEFORE, "/version"), authz.last(AFTER, "/version")
    assert before.args["RequestMethod"] == "GET"
    assert before.uri.startswith("/v1.")
    assert "ResponseStatusCode" not in before.args
    assert after.args["ResponseStatusCode"] == 200
    assert json.loads(after.body("ResponseBody"))["ApiVersion"] == "1.51"
    assert after.args["ResponseHeaders"]["Api-Version"] == "1.51"
    assert "User" not in before.args


def test_e01_verbs_are_asked_about(guarded: Node, authz: AuthzPlugin, contexts: Contexts) -> None:
    """Creating, enabling and disabling a plugin are seen with their paths, and work."""
    guarded.create("p", contexts.tar())
    guarded.enable("p")
    guarded.disable("p")
    for path in ("/plugins/create", "/plugins/p/enable", "/plugins/p/disable"):
        assert authz.hooks(path) == [BEFORE, AFTER]


def test_our_own_api_is_asked_about(guarded: Node, authz: AuthzPlugin) -> None:
    """/wherry/v1 is no way around the plugin."""
    authz.before["/wherry/v1/plugins"] = denied("not yours")
    response = guarded.http.get("/wherry/v1/plugins")
    assert response.status_code == 403
    assert response.json() == {
        "code": "permission_denied",
        "message": "authorization denied by plugin old: not yours",
        "detail": {"plugin": "old"},
    }


def test_e03_e04_denied_requests(guarded: Node, authz: AuthzPlugin) -> None:
    """A request that is denied answers 403 in Docker's words, and its answer is never asked of."""
    authz.before["/version"] = denied("not today")
    response = guarded.http.get("/version")
    assert response.status_code == 403
    assert _message(response) == "authorization denied by plugin old: not today"
    assert authz.hooks("/version") == [BEFORE]
    complaint = guarded.docker_fails("version")
    assert "authorization denied by plugin old: not today" in complaint


def test_e05_denied_answers(guarded: Node, authz: AuthzPlugin) -> None:
    """An answer that is denied never leaves, and both hooks were asked once."""
    authz.after["/version"] = denied("too much")
    response = guarded.http.get("/version")
    assert response.status_code == 403
    assert response.json() == {"message": "authorization denied by plugin old: too much"}
    assert authz.hooks("/version") == [BEFORE, AFTER]


def test_e06_events_pass_unbuffered(guarded: Node, authz: AuthzPlugin, contexts: Contexts) -> None:
    """Events arrive as they happen, and that they may be read was asked once, before and after."""
    argv = ["docker", "events", "--format", "{{.Action}}"]
    with subprocess.Popen(argv, env=guarded.environment, stdout=subprocess.PIPE, text=True) as cli:
        eventually(lambda: authz.hooks("/events") == [BEFORE, AFTER], "events are asked about")
        guarded.create("p", contexts.tar())
        guarded.enable("p")
        assert cli.stdout is not None
        assert [cli.stdout.readline().strip() for _ in range(2)] == ["create", "enable"]
        cli.terminate()
    assert authz.hooks("/events") == [BEFORE, AFTER]


def test_denied_streams(guarded: Node, authz: AuthzPlugin) -> None:
    """A stream that is denied never begins."""
    authz.after["/events"] = denied("no streams")
    response = guarded.http.get("/events")
    assert response.status_code == 403
    assert _message(response) == "authorization denied by plugin old: no streams"
    assert guarded.http.get("/wherry/v1/events").status_code == 403


@pytest.mark.parametrize("hook", [BEFORE, AFTER])
def test_e07_e08_plugin_failures(guarded: Node, authz: AuthzPlugin, hook: str) -> None:
    """A plugin that fails is told with its hook and its words, as 500."""
    verdicts = authz.before if hook == BEFORE else authz.after
    verdicts["/version"] = failed("out of order")
    response = guarded.http.get("/version")
    assert response.status_code == 500
    assert _message(response) == f"plugin old failed with error: {hook}: out of order"


def test_e09_a_plugin_named_twice_is_asked_once(guarded: Node, authz: AuthzPlugin) -> None:
    """The node names the plugin twice."""
    guarded.http.get("/info")
    assert guarded.environment["WHERRY_AUTHORIZATION_PLUGINS"] == "old,old"
    assert authz.hooks("/info") == [BEFORE, AFTER]


def test_e12_content_type(guarded: Node) -> None:
    """What is allowed is answered as without plugins."""
    response = guarded.http.get("/version")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["ApiVersion"] == "1.51"
    assert guarded.http.head("/_ping").headers["content-length"] == "0"


def test_e13_credentials_never_reach_the_plugin(guarded: Node, authz: AuthzPlugin) -> None:
    """Headers with credentials are left out, others are shown."""
    secret = "c2VjcmV0"
    headers = {"Authorization": secret, "X-Registry-Auth": secret, "X-Registry-Config": secret}
    guarded.http.get("/version", headers={**headers, "X-Shown": "yes"})
    for hook in (BEFORE, AFTER):
        asked = authz.last(hook, "/version")
        assert asked.args["RequestHeaders"]["X-Shown"] == "yes"
        assert secret not in json.dumps(asked.args)


def test_e13_bodies(guarded: Node, authz: AuthzPlugin) -> None:
    """Only JSON is shown, never a login, and a handler still reads what was shown."""
    shown = guarded.http.post("/plugins/none/set", json=["A=1"])
    assert (shown.status_code, _message(shown)) == (404, 'plugin "none" not found')
    assert authz.last(BEFORE, "/set").body() == b'["A=1"]'

    guarded.http.post("/plugins/none/set", content=b"x", headers={"Content-Type": "text/plain"})
    assert authz.last(BEFORE, "/set").body() == b""

    guarded.http.post("/v1.40/auth?x=1", json={"username": "u", "password": "p"})
    for hook in (BEFORE, AFTER):
        asked = authz.last(hook, "/auth")
        assert (asked.body(), asked.body("ResponseBody")) == (b"", b"")


def test_a_body_too_long_to_be_shown_is_refused(guarded: Node, authz: AuthzPlugin) -> None:
    """Nobody gets a body past the plugin by making it long."""
    body = json.dumps(["A=" + "1" * (1 << 20)])
    headers = {"Content-Type": "application/json; charset=utf-8"}
    response = guarded.http.post("/plugins/none/set", content=body, headers=headers)
    assert response.status_code == 500
    assert "request body too large for authorization plugin" in _message(response)
    assert authz.hooks("/set") == []


def test_json_by_any_other_name_is_shown(guarded: Node, authz: AuthzPlugin) -> None:
    """What our own API reads as JSON is shown, whatever it is called."""
    body = b'{"memory_bytes": 1}'
    for content_type in ("application/vnd.x+json", ""):
        headers = {"Content-Type": content_type} if content_type else {}
        guarded.http.put("/wherry/v1/plugins/none/resources", content=body, headers=headers)
        assert authz.last(BEFORE, "/resources").body() == body


def test_errors_are_asked_about_too(guarded: Node, authz: AuthzPlugin) -> None:
    """An error is an answer: its status is told, and it may be denied."""
    assert guarded.http.get("/plugins/none/json").status_code == 404
    assert authz.last(AFTER, "/plugins/none").args["ResponseStatusCode"] == 404
    authz.after["/plugins/none"] = denied("nothing to see")
    assert guarded.http.get("/plugins/none/json").status_code == 403


def test_e15_a_failing_plugin_and_volumes(guarded: Node, authz: AuthzPlugin) -> None:
    """Everything about volumes fails with the plugin's error, and the rest works."""
    authz.before["/volumes"] = failed("no volumes here")
    complaint = f"plugin old failed with error: {BEFORE}: no volumes here"
    for argv in (
        ("create", "v"),
        ("ls",),
        ("rm", "v"),
        ("inspect", "v"),
        ("prune", "-f"),
    ):
        assert complaint in guarded.docker_fails("volume", *argv)
    assert guarded.docker("plugin", "ls", "-q") == ""


def test_docker_py(guarded: Node, authz: AuthzPlugin) -> None:
    """docker-py sees a denial as an API error of status 403."""
    authz.before["/plugins"] = denied("no plugins")
    client = docker.DockerClient(base_url=f"unix://{guarded.socket}")
    try:
        assert client.version()["ApiVersion"] == "1.51"
        with pytest.raises(docker.errors.APIError) as error:
            client.plugins.list()
        assert error.value.status_code == 403
        assert error.value.explanation == "authorization denied by plugin old: no plugins"
    finally:
        client.close()


def test_a_hung_plugin_hangs_nothing(guarded: Node, authz: AuthzPlugin) -> None:
    """Requests fail at their deadline, then at once; the health of the node says why; it mends."""
    authz.answers.clear()
    with ThreadPoolExecutor(5) as pool:
        hung = list(pool.map(lambda _: guarded.http.get("/version"), range(5)))
    assert {response.status_code for response in hung} == {500}
    assert "did not answer within 2 s" in _message(hung[0])

    asked = len(authz.asked)
    refused = _message(guarded.http.get("/version"))
    assert "did not answer 5 calls in a row and is left alone; it is tried again in" in refused
    assert len(authz.asked) == asked

    health = guarded.http.get("/wherry/v1/health")
    assert health.status_code == 503
    assert "authorization: old: does not answer" in health.text

    authz.answers.set()
    eventually(lambda: guarded.http.get("/version").status_code == 200, "the plugin is asked again")
    guarded.wait_healthy()
