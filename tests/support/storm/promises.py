"""What must be true of a node at rest, looked up where it is: feed, databases, kernel, files."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo import leftovers
from tests.support.node import SERVICES
from tests.support.plugin_model import State
from tests.support.plugin_verbs import PluginVerbs
from tests.support.storm.node import DisturbedNode

#: An event by where it came from: epoch and revision of the store, action, actor.
Told = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Each method returns what is against a promise, in words; nothing while all holds."""

    node: DisturbedNode
    verbs: PluginVerbs

    def lost(self, expected: State) -> Iterator[str]:
        """Compare the plugins with what clients were told of them."""
        observed = self.verbs.observed()
        for name in sorted({*observed, *expected}):
            if observed.get(name) != expected.get(name):
                yield f"{name} is {observed.get(name)}, acknowledged was {expected.get(name)}"

    def events(self, followed: list[int]) -> tuple[list[str], list[str]]:
        """Compare the feed with what the store committed; return what is lost, what is doubled.

        *followed* are the numbers that a reader got who read on behind the last one.
        """
        feed = [event for event in self.node.feed() if event["type"] == "plugin"]
        told = Counter((e["epoch"], e["revision"], e["action"], e["actor_id"]) for e in feed)
        committed = Counter(self._committed())
        lost = [f"no event of {one}" for one in (committed - told)]
        doubled = [f"event {one} was told {told[one]} times" for one in (told - committed)]
        doubled += [
            f"event {n} was streamed {c} times" for n, c in Counter(followed).items() if c > 1
        ]
        missing = set(range(1, max(followed, default=0) + 1)) - set(followed)
        lost += [f"event {number} was not streamed" for number in sorted(missing)]
        if followed != sorted(followed):
            doubled.append("events were streamed out of order")
        lost += _out_of_order(feed)
        return lost, doubled

    def orphaned(self) -> Iterator[str]:
        """Look for what belongs to nobody."""
        yield from self.verbs.contradictions()
        running = [p for p in self._plugins() if p["enabled"]]
        containers = sorted(str(plugin["status"]["container_id"]) for plugin in running)
        known = sorted(self._runc())
        if known != containers:
            yield f"runc knows {known}, expected {containers}"
        yield from self._processes({int(plugin["status"]["pid"]) for plugin in running})
        yield from self._cgroups(containers)
        yield from self._mounts({p["plugin_id"] for p in running})
        yield from self._blobs()

    def deaths(self, killed: int) -> Iterator[str]:
        """Compare the deaths of plugins with how many were killed on purpose."""
        died = [event for event in self.node.feed() if event["action"] == "die"]
        if len(died) > killed:
            last = [(e["attributes"].get("name"), e["attributes"].get("exitCode")) for e in died]
            yield f"{len(died)} plugins died, {killed} were killed: {last}"

    def versions(self) -> Iterator[str]:
        """Look whether each plugin's files are of the version that its record says."""
        for plugin in self._plugins():
            folder = self.node.root / "plugins" / plugin["plugin_id"]
            found = sorted(path.name for path in folder.glob("rootfs*"))
            if found != [plugin["rootfs"]]:
                yield f"{plugin['name']} has {found}, expected {plugin['rootfs']}"
                continue
            version = folder / plugin["rootfs"] / "version"
            said = version.read_text() if version.exists() else "none"
            if said != plugin["config"]["Description"]:
                yield f"{plugin['name']} is {plugin['config']['Description']} with files of {said}"

    def _plugins(self) -> list[dict[str, Any]]:
        return list(self.node.get("/wherry/v1/plugins")["plugins"])

    def _committed(self) -> Iterator[Told]:
        """Yield the facts that the store committed; its outbox keeps them for a week."""
        with _reading(self.node.root / "store" / "store.db") as database:
            for (text,) in database.execute("SELECT message FROM outbox ORDER BY revision"):
                message: Mapping[str, Any] = json.loads(text)
                for fact in message["facts"]:
                    yield (message["epoch"], message["revision"], fact["action"], fact["actor_id"])

    def _runc(self) -> list[str]:
        argv = ["runc", "--root", str(self.node.exec_root / "runc"), "list", "-q"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)
        return done.stdout.split()

    def _processes(self, plugins: set[int]) -> Iterator[str]:
        """Look for conmons and inits of nobody, and for services that run twice."""
        titles = Counter(one.title for one in self.node.leftovers().processes)
        for service in SERVICES:
            if titles[f"wherry-{service}"] > 1:
                yield f"{titles[f'wherry-{service}']} processes of {service}"
        if titles["conmon"] > len(plugins):
            yield f"{titles['conmon']} conmons for {len(plugins)} plugins"

    def _cgroups(self, containers: list[str]) -> Iterator[str]:
        for path in self.node.leftovers().cgroups:
            name = Path(path).name
            is_one = "-" in name and len(name.partition("-")[0]) == 12
            if is_one and name not in containers:
                yield f"cgroup {path}"

    def _mounts(self, running: set[str]) -> Iterator[str]:
        plugins = self.node.root / "plugins"
        for mount in leftovers.mounts_below(plugins):
            owner = Path(mount).relative_to(plugins).parts
            if owner and owner[0] not in running:
                yield f"mount {mount}"

    def _blobs(self) -> Iterator[str]:
        self.node.http.post("/wherry/v1/content/collect").raise_for_status()
        needed: set[str] = set()
        for plugin in self._plugins():
            needed.update((plugin["config_digest"], plugin["manifest_digest"]))
            needed.update(plugin["layer_digests"])
        folder = self.node.root / "content" / "blobs" / "sha256"
        found = {f"sha256:{path.name}" for path in folder.iterdir()}
        if missing := needed - found:
            yield f"blobs are missing: {missing}"
        if stray := found - needed:
            yield f"blobs of nobody: {stray}"
        if ingests := list((self.node.root / "content" / "ingest").iterdir()):
            yield f"ingests of nobody: {ingests}"


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _out_of_order(feed: list[dict[str, Any]]) -> list[str]:
    """Return where the events of a plugin do not follow its revisions."""
    last: dict[str, int] = {}
    found = []
    for event in feed:
        if event["revision"] < last.get(event["actor_id"], 0):
            found.append(f"event {event['seq']} came after a later one of its plugin")
        last[event["actor_id"]] = event["revision"]
    return found
