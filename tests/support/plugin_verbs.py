"""The verbs of the model, said to a real node; and what is true of that node."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.node import Node, is_running
from tests.support.node_api import NodeApi
from tests.support.plugin_context import Contexts, file
from tests.support.plugin_model import (
    DEFAULTS,
    Acquire,
    Answer,
    Create,
    Disable,
    Enable,
    ModelPlugin,
    Pull,
    Release,
    Remove,
    Set,
    State,
    Upgrade,
    Verb,
)

_TTL_S = 86_400
_PASSING = ("work/", "trash/", "staging/")


def context(contexts: Contexts, version: str) -> bytes:
    """Return the context of a version of the plugin."""
    return contexts.tar_with(
        (file("rootfs/version", version.encode()),),
        description=version,
        interface={"types": ["docker.volumedriver/1.0"], "socket": "p.sock"},
        env=[{"name": "DEBUG", "value": DEFAULTS[version], "settable": ["value"]}],
        propagatedmount="/data",
    )


@dataclass(frozen=True, kw_only=True)
class PluginVerbs:
    """Says verbs to *node*; versions of the plugin lie at the repository *remote*."""

    node: Node
    contexts: Contexts
    remote: str
    #: What is spoken through, where that is not the node's own socket.
    api: NodeApi | None = None

    def publish(self, versions: Iterable[str]) -> None:
        """Put versions of the plugin at the registry."""
        for version in versions:
            self.node.create(f"{self.remote}:{version}", context(self.contexts, version))
            pushed = self.node.http.post(f"/plugins/{self.remote}:{version}/push")
            assert "errorDetail" not in pushed.text, pushed.text
            self.node.remove(f"{self.remote}:{version}")

    def say(self, verb: Verb) -> Answer:
        """Say a verb over a connection of its own and return the answer, whatever it is."""
        with self._api.client() as client:
            answer = self._send(client, verb)
            return Answer(status=_status(answer), words=answer.text.replace('\\"', '"'))

    def observed(self) -> State:
        """Return the state that the node shows."""
        plugins = self.node.get("/wherry/v1/plugins")["plugins"]
        return {p["name"].removesuffix(":latest"): self.shown(p) for p in plugins}

    def contradictions(self) -> list[str]:
        """Return where what is shown, what runs and what lies on the disk are not one."""
        plugins = self.node.get("/wherry/v1/plugins")["plugins"]
        enabled = [plugin for plugin in plugins if plugin["enabled"]]
        found = [f"{p['name']} does not answer: {p['status']}" for p in enabled if not _answers(p)]
        found += [
            f"{plugin['name']} is disabled and {plugin['status']['state']}"
            for plugin in plugins
            if not plugin["enabled"] and plugin["status"]["state"] != "stopped"
        ]
        expected = sorted(str(plugin["status"]["container_id"]) for plugin in enabled)
        if self.node.containers() != expected:
            found.append(f"containers {self.node.containers()}, expected {expected}")
        folders = {path.name for path in (self.node.root / "plugins").iterdir()}
        if folders != {plugin["plugin_id"] for plugin in plugins}:
            found.append(f"plugins' folders {folders}")
        return found + [file for file in self.node.files() if file.startswith(_PASSING)]

    def shown(self, shown: dict[str, Any]) -> ModelPlugin:
        """Return a plugin as the model has it."""
        references = self._api.get(f"/wherry/v1/plugins/{shown['plugin_id']}/references")
        version = shown["config"]["Description"]
        (variable,) = shown["settings"]["Env"]
        debug = variable.removeprefix("DEBUG=")
        return ModelPlugin(
            version=version,
            enabled=shown["enabled"],
            chosen=None if debug == DEFAULTS[version] else debug,
            owners=frozenset(each["owner"] for each in references["references"]),
        )

    @property
    def _api(self) -> NodeApi:
        return self.api or self.node

    def _send(self, client: httpx.Client, verb: Verb) -> httpx.Response:
        path = f"/plugins/{verb.name}"
        match verb:
            case Create():
                content = context(self.contexts, "local")
                return client.post("/plugins/create", params={"name": verb.name}, content=content)
            case Pull():
                remote = {"remote": f"{self.remote}:{verb.version}", "name": verb.name}
                return client.post("/plugins/pull", params=remote, json=[])
            case Upgrade():
                remote = {"remote": f"{self.remote}:{verb.version}"}
                return client.post(f"{path}/upgrade", params=remote, json=[])
            case Enable():
                return client.post(f"{path}/enable", params={"timeout": "30"})
            case Disable():
                return client.post(f"{path}/disable", params={"force": str(int(verb.force))})
            case Remove():
                return client.delete(path, params={"force": str(int(verb.force))})
            case Set():
                return client.post(f"{path}/set", json=list(verb.args))
            case Acquire():
                wish = {"owner": verb.owner, "ttl_s": _TTL_S, "capability": "volumedriver"}
                return client.post(f"/wherry/v1{path}/references", json=wish)
            case Release():
                return client.delete(f"/wherry/v1{path}/references/{verb.owner}")
        raise AssertionError(f"nobody knows how to say {verb}")


def _status(answer: httpx.Response) -> int:
    """Return the status; that of a stream is in its last line."""
    if answer.status_code == 200 and '"errorDetail"' in answer.text:
        return int(json.loads(answer.text.splitlines()[-1])["errorDetail"].get("code", 500))
    return answer.status_code


def _answers(shown: dict[str, Any]) -> bool:
    status = shown["status"]
    if status["state"] != "running" or not is_running(status["pid"] or 0):
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        return client.connect_ex(f"{status['socket_dir']}/p.sock") == 0
