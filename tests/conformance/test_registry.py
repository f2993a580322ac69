"""Plugins that come from a registry and go to one: the docker CLI, docker-py, a real registry."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts
from tests.support.registry import PASSWORD, USER, RegistryServer

_PLUGIN_CONFIG = "application/vnd.docker.plugin.v1+json"
_SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
#: What the plugin of these tests asks for.
_NETWORK = {
    "Name": "network",
    "Description": "permissions to access a network",
    "Value": ["host"],
}


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Run a registry that lets everybody in."""
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def closed_registry() -> Iterator[RegistryServer]:
    """Run a registry that asks for a login."""
    with RegistryServer(has_login=True) as server:
        yield server


@pytest.fixture
def pushed(node: Node, contexts: Contexts, registry: RegistryServer) -> str:
    """Push a plugin that asks for the host's network, and return its reference."""
    return _push(node, contexts, f"{registry.authority}/test/p:v1")


def _push(node: Node, contexts: Contexts, ref: str, **config: Any) -> str:
    settable = [{"name": "DEBUG", "value": "0", "settable": ["value"]}]
    config = {"network": {"type": "host"}, "env": settable, **config}
    node.create(ref, contexts.tar(**config))
    node.docker("plugin", "push", ref)
    node.remove(ref)
    return ref


def _install(node: Node, ref: str, *more: str) -> str:
    return node.docker("plugin", "install", "--grant-all-permissions", ref, *more)


def _lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.text.endswith("\r\n")
    return [json.loads(line) for line in response.text.splitlines()]


def _pull(node: Node, ref: str, *granted: dict[str, Any], name: str = "") -> httpx.Response:
    params = {"remote": ref, "name": name}
    return node.http.post("/v1.41/plugins/pull", params=params, json=list(granted))


def test_a_plugin_goes_to_a_registry_and_comes_back(node: Node, pushed: str) -> None:
    """`docker plugin push` and `install` work as with dockerd, settings and enabling included."""
    shown = _install(node, pushed, "DEBUG=1")

    assert f"v1: Pulling from {pushed.removesuffix(':v1')}\nDigest: sha256:" in shown
    assert ": Complete\n" in shown
    assert shown.endswith(f"Installed plugin {pushed}")
    inspected = json.loads(node.docker("plugin", "inspect", pushed))[0]
    assert inspected["Enabled"] is True
    assert inspected["Settings"]["Env"] == ["DEBUG=1"]
    assert inspected["PluginReference"] == pushed
    told = [e["action"] for e in node.feed() if e["attributes"].get("name") == pushed]
    assert told[-3:] == ["pull", "set", "enable"]


def test_the_person_is_asked_for_consent(node: Node, pushed: str) -> None:
    """Privileges are those of the config, in dockerd's words; without them null."""
    shown = node.get("/plugins/privileges", remote=pushed)
    assert shown == [_NETWORK]


def test_nothing_needed_is_null(node: Node, contexts: Contexts, registry: RegistryServer) -> None:
    """A plugin that needs nothing has null privileges, and is installed without a question."""
    ref = _push(node, contexts, f"{registry.authority}/test/n:v1", network={"type": ""})
    answer = node.http.get("/plugins/privileges", params={"remote": ref})
    assert answer.text == "null\n"
    node.docker("plugin", "install", "--disable", ref)


def test_install_by_alias_and_digest(node: Node, pushed: str) -> None:
    """The digest that a push tells fetches the plugin; the tag only names it."""
    node.docker("plugin", "install", "--grant-all-permissions", "--disable", pushed)
    pushing = node.http.post(f"/plugins/{pushed}/push")
    aux = _lines(pushing)[-1]["aux"]
    assert (aux["Tag"], set(aux)) == ("v1", {"Tag", "Digest", "Size"})
    node.docker("plugin", "rm", pushed)

    by_digest = f"{pushed.removesuffix(':v1')}:latest@{aux['Digest']}"
    node.docker("plugin", "install", "--grant-all-permissions", "--disable", by_digest)
    assert node.plugin(f"{pushed.removesuffix(':v1')}:latest")["enabled"] is False
    _install(node, pushed, "--alias", "mine")
    assert node.plugin("mine:latest")["reference"] == pushed


def test_a_login_is_needed(node: Node, contexts: Contexts, closed_registry: RegistryServer) -> None:
    """`docker login` checks the login, and every verb takes it along."""
    authority = closed_registry.authority
    ref = f"{authority}/test/c:v1"
    node.create(ref, contexts.tar())
    wrong = node.http.post(
        "/auth", json={"username": USER, "password": "wrong", "serveraddress": authority}
    )
    assert wrong.status_code == 500
    assert wrong.json()["message"] == (
        f"login attempt to http://{authority}/v2/ failed with status: 401 Unauthorized"
    )
    right = node.http.post(
        "/auth", json={"username": USER, "password": PASSWORD, "serveraddress": authority}
    )
    assert right.json() == {"IdentityToken": "", "Status": "Login Succeeded"}
    assert "authorization" in node.docker_fails("plugin", "push", ref)
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    folder = Path(node.environment["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {authority: {"auth": auth}}}))
    try:
        node.docker("plugin", "push", ref)
        node.docker("plugin", "rm", ref)
        node.docker("plugin", "install", "--disable", ref)
        node.docker("plugin", "rm", ref)
        assert "installed" in node.wherry("plugin", "pull", ref)
    finally:
        (folder / "config.json").unlink()
    log = (node.folder / "log").read_text()
    assert PASSWORD not in log
    assert auth not in log


def test_upgrade(node: Node, contexts: Contexts, registry: RegistryServer, pushed: str) -> None:
    """An upgrade keeps id, name and settings, and takes the new version's files and config."""
    node.docker("plugin", "install", "--grant-all-permissions", "--alias", "up", pushed, "DEBUG=1")
    before = node.plugin("up")
    v2 = _push(node, contexts, f"{registry.authority}/test/p:v2", description="the second")
    upgrading = ("plugin", "upgrade", "--grant-all-permissions", "--skip-remote-check", "up", v2)
    refused = node.docker_fails(*upgrading)
    assert "must be disabled before upgrading" in refused

    node.disable("up")
    shown = node.docker(*upgrading)

    assert shown.endswith(f"Upgraded plugin up:latest to {v2}")
    after = node.plugin("up")
    assert (after["plugin_id"], after["name"]) == (before["plugin_id"], "up:latest")
    assert (after["reference"], after["config"]["Description"]) == (v2, "the second")
    assert after["settings"]["Env"] == ["DEBUG=1"]
    node.docker("plugin", "enable", "up")
    node.disable("up")
    # Ours alone: by id, and through the CLI to where it came from.
    by_id = node.http.post(
        f"/plugins/{after['plugin_id'][:9]}/upgrade", params={"remote": pushed}, json=[_NETWORK]
    )
    assert by_id.headers["docker-plugin-name"] == "up:latest"
    assert "error" not in _lines(by_id)[-1]
    assert "upgraded up:latest" in node.wherry("plugin", "upgrade", "--grant-all-permissions", "up")


def test_what_is_not_there(node: Node, registry: RegistryServer) -> None:
    """The registry's own answer is told, by the privileges as by the pull; nothing is left."""
    ref = f"{registry.authority}/test/nosuch:v1"
    text = f"error resolving plugin reference: {ref}: not found"
    assert text in node.docker_fails("plugin", "install", "--grant-all-permissions", ref)
    for answer in (
        node.http.get("/plugins/privileges", params={"remote": ref}),
        _pull(node, ref),
    ):
        assert answer.status_code == 404
    assert _pull(node, ref).json() == {"message": text}


def test_a_name_that_is_taken(node: Node, pushed: str) -> None:
    """A pull to a name that is taken answers 400, as dockerd does."""
    assert "error" not in _lines(_pull(node, pushed, _NETWORK))[-1]
    answer = _pull(node, pushed, _NETWORK)
    assert answer.status_code == 400
    assert answer.json() == {"message": f"plugin {pushed} already exists"}


@pytest.mark.parametrize(
    "granted",
    [[], [{"Name": "network", "Value": ["none"]}], [_NETWORK, {"Name": "x", "Value": []}]],
)
def test_a_wrong_grant(node: Node, pushed: str, granted: list[dict[str, Any]]) -> None:
    """A grant that is not what the plugin needs ends in an error, and leaves no plugin."""
    answer = _pull(node, pushed, *granted)
    said = answer.json()["message"] if answer.status_code != 200 else _lines(answer)[-1]["error"]
    assert said == "incorrect privileges"
    assert node.get("/plugins") == []


def test_the_manifest_in_the_registry(pushed: str, registry: RegistryServer) -> None:
    """What is pushed is a schema 2 manifest of a plugin with one layer of gzip."""
    repository = pushed.partition("/")[2].removesuffix(":v1")
    answer = httpx.get(
        f"http://{registry.authority}/v2/{repository}/manifests/v1", headers={"accept": _SCHEMA2}
    )
    manifest = answer.json()
    assert manifest["mediaType"] == _SCHEMA2
    assert manifest["config"]["mediaType"] == _PLUGIN_CONFIG
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar.gzip"


def test_docker_py(node: Node, docker_py: docker.DockerClient, pushed: str) -> None:
    """docker-py installs and upgrades; its push asks for a path that no dockerd has."""
    plugin = docker_py.plugins.install(pushed, "mine")
    assert (plugin.name, plugin.enabled) == ("mine:latest", False)
    assert all("error" not in line for line in plugin.upgrade(pushed))


def test_one_of_many_pulls_wins(node: Node, pushed: str) -> None:
    """Of several pulls to one name one makes the plugin; the others are told why not."""
    clients = [node.client() for _ in range(4)]

    def pull(client: httpx.Client) -> httpx.Response:
        params = {"remote": pushed, "name": "one"}
        return client.post("/plugins/pull", params=params, json=[_NETWORK])

    with ThreadPoolExecutor(len(clients)) as threads:
        answers = list(threads.map(pull, clients))
    for client in clients:
        client.close()
    assert min(answer.status_code for answer in answers) == 200
    assert all(a.status_code in (400, 409) for a in answers if a.status_code != 200)
    assert len(node.get("/plugins")) == 1


def test_who_hangs_up_leaves_nothing(node: Node, pushed: str, registry: RegistryServer) -> None:
    """A pull whose client hangs up is cancelled, its name is free, and no file is left."""
    with socket.socket(socket.AF_UNIX) as client, _stopped(registry):
        client.connect(str(node.socket))
        line = f"POST /plugins/pull?remote={pushed} HTTP/1.1"
        client.sendall(f"{line}\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        eventually(lambda: _newest_job(node)["state"] == "running", "the job runs")
        client.close()
        eventually(lambda: _newest_job(node)["cancelled"], "the job is cancelled")
    eventually(lambda: _newest_job(node)["state"] == "failed", "the job is over")
    assert node.get("/plugins") == []
    assert "error" not in _lines(_pull(node, pushed, _NETWORK))[-1]


@contextlib.contextmanager
def _stopped(registry: RegistryServer) -> Iterator[None]:
    """Have the registry answer nobody meanwhile."""
    registry.pause()
    try:
        yield
    finally:
        registry.resume()


def _newest_job(node: Node) -> dict[str, Any]:
    return dict(node.get("/wherry/v1/jobs")["jobs"][0])
