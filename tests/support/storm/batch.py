"""One plugin that runs, upgraded by a batch and put back, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.support.node import eventually
from tests.support.plugin_context import Contexts
from tests.support.plugin_model import Enable, ModelPlugin, Pull, Set, State
from tests.support.plugin_verbs import PluginVerbs
from tests.support.storm.node import SteppingNode

_NAME: Final = "p"
_LIMIT_S: Final = 120.0
_SETTLED: Final = frozenset({"completed", "paused", "failed", "cancelled"})
_PUT_BACK: Final = frozenset({"rollback_completed", "rollback_paused"})
#: What a plugin's change of version is called in the feed.
_CHANGES: Final = ("upgrade", "rollback")


@dataclass(slots=True, kw_only=True)
class OnePluginBatch:
    """Upgrades the plugin from v1 to v2, and back, and looks what came of it."""

    node: SteppingNode
    verbs: PluginVerbs
    _batch_id: str = ""

    @classmethod
    def on(cls, node: SteppingNode, contexts: Contexts, authority: str) -> OnePluginBatch:
        """Publish two versions, and have the first run on the node with a setting of its user."""
        verbs = PluginVerbs(node=node, contexts=contexts, remote=f"{authority}/p")
        verbs.publish(("v1", "v2"))
        for verb in (Pull(_NAME, "v1"), Set(_NAME, "x"), Enable(_NAME)):
            answer = verbs.say(verb)
            assert answer.is_success, (verb, answer)
        return cls(node=node, verbs=verbs)

    def upgrade(self) -> None:
        """Have it become v2; returns once the batch is over, as it must be."""
        self._forget_blobs()
        body = {
            "selector": {"enabled": True},
            "target": {"tag": "v2"},
            "update": {"monitor_s": 0.1},
        }
        begun = self._said("/wherry/v1/upgrades", body)
        self._batch_id = str(begun["batch_id"])
        self._wait("completed", _SETTLED)

    def put_back(self) -> None:
        """Have the batch rolled back; returns once that is over, as it must be."""
        self._said(f"/wherry/v1/upgrades/{self._batch_id}/rollback", {})
        self._wait("rollback_completed", _PUT_BACK)

    def is_at(self, version: str) -> bool:
        """Tell whether the plugin is that version, runs with its setting, and nothing else is."""
        expected: State = {_NAME: ModelPlugin(version=version, enabled=True, chosen="x")}
        return self.verbs.observed() == expected and not self.verbs.contradictions()

    def changes(self) -> int:
        """Return of how many changes of version the feed tells."""
        return sum(event["action"] in _CHANGES for event in self.node.feed())

    def _forget_blobs(self) -> None:
        """Have only what the plugin needs, for batches keep more for a day: all is fetched anew."""
        plugin = self.node.plugin(_NAME)
        needed = {plugin["config_digest"], plugin["manifest_digest"], *plugin["layer_digests"]}
        for path in (self.node.root / "content" / "blobs" / "sha256").iterdir():
            if f"sha256:{path.name}" not in needed:
                path.unlink()

    def _said(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Say it until it is answered: with its key it is done once."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + _LIMIT_S
        while True:
            with contextlib.suppress(httpx.TransportError), self.node.client() as client:
                answer = client.post(path, json=body, headers=key)
                if answer.is_success:
                    return dict(answer.json())
                assert answer.status_code >= 500, answer.text
            assert time.monotonic() < deadline, f"{path} is not answered"
            time.sleep(0.05)

    def _wait(self, state: str, settled: frozenset[str]) -> None:
        found: dict[str, Any] = {}

        def is_over() -> bool:
            with contextlib.suppress(httpx.TransportError), self.node.client() as client:
                answer = client.get(f"/wherry/v1/upgrades/{self._batch_id}")
                assert answer.is_success or answer.status_code >= 500, answer.text
                if answer.is_success:
                    found.update(answer.json())
            return bool(found) and found["upgrade"]["state"] in settled

        eventually(is_over, f"the batch is {state}: {found}", limit_s=_LIMIT_S)
        assert found["upgrade"]["state"] == state, found
