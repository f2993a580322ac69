"""A storm: clients that go on, faults that follow one another, rests in which all is looked at."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests.support.node import eventually
from tests.support.node_api import NodeApi
from tests.support.plugin_context import Contexts
from tests.support.plugin_model import State
from tests.support.plugin_verbs import PluginVerbs
from tests.support.registry import RegistryServer
from tests.support.storm import faults
from tests.support.storm.client import Client
from tests.support.storm.disk import FaultyDisk, faulty_disk
from tests.support.storm.node import DisturbedNode
from tests.support.storm.promises import Promises
from tests.support.storm.proxy import Proxy
from tests.support.storm.tally import Tally

_CLIENTS: Final = 5
#: Between two faults, and between two rests.
_CALM_S: Final = (0.3, 1.5)
_REST_EVERY_S: Final = 20.0
_HEAL_LIMIT_S: Final = 90.0

_LOG: Final = Path(__file__).parents[3] / "build" / "storm.log"

Check = Callable[[], list[str]]
#: What is lost, and what is doubled.
Checks = Callable[[], tuple[list[str], list[str]]]


@dataclass(slots=True, kw_only=True)
class Stage:
    """A node that is up, with all that can be done to it."""

    node: DisturbedNode
    front: Proxy
    registry: Proxy
    disk: FaultyDisk
    verbs: PluginVerbs
    tally: Tally = field(default_factory=Tally)

    def client(self, name: str, seed: str) -> Client:
        """Return a client that speaks through the proxy."""
        api = NodeApi(Path(str(self.front.at)))
        verbs = PluginVerbs(
            node=self.node, contexts=self.verbs.contexts, remote=self.verbs.remote, api=api
        )
        return Client(name=name, seed=seed, api=api, verbs=verbs, tally=self.tally)

    def end(self) -> None:
        """Shut the node down; nothing may be left of it."""
        self.node.shut_down()
        left = self.node.leftovers()
        running = [p for p in left.processes if p.title.startswith(("wherry", "conmon", "redis"))]
        sockets = [s for s in left.sockets if s != str(self.front.at)]
        mounts = [m for m in left.mounts if "plugins" in m]
        self.tally.orphaned += map(str, (*running, *sockets, *mounts, *left.cgroups))


class Follower(threading.Thread):
    """Reads the feed, and after each interruption reads on behind the last event that it got."""

    def __init__(self, api: NodeApi) -> None:
        super().__init__(name="follower", daemon=True)
        self.numbers: list[int] = []
        self._api = api
        self._is_over = threading.Event()

    def run(self) -> None:
        """Read until it is ended."""
        while not self._is_over.is_set():
            with contextlib.suppress(httpx.HTTPError, ValueError):
                self._read()
            time.sleep(0.1)

    def end(self) -> None:
        """Read no more."""
        self._is_over.set()
        self.join(timeout=60)

    def _read(self) -> None:
        after = {"after": str(max(self.numbers, default=0))}
        with (
            self._api.client() as client,
            client.stream("GET", "/wherry/v1/events", params=after, timeout=5) as stream,
        ):
            if stream.status_code != 200:
                return
            for line in stream.iter_lines():
                self.numbers.append(int(json.loads(line)["seq"]))
                if self._is_over.is_set():
                    return


class Storm:
    """The faults and rests that a seed gives."""

    def __init__(self, stage: Stage, *, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(f"faults {seed}")
        self._clients = [stage.client(f"c{n}", f"client {n} {seed}") for n in range(_CLIENTS)]
        self._follower = Follower(NodeApi(Path(str(stage.front.at))))
        self._scene = faults.Scene(
            node=stage.node,
            front=stage.front,
            registry=stage.registry,
            disk=stage.disk,
            random=self._random,
            killed=[],
        )
        self._deck: list[faults.Fault] = []
        self._promises = Promises(node=stage.node, verbs=stage.verbs)

    def rage(self, seconds: float) -> None:
        """Go on for so long, and look at all promises now and then and at the end."""
        over = time.monotonic() + seconds
        for thread in (*self._clients, self._follower):
            thread.start()
        try:
            while time.monotonic() < over:
                self._blow(min(over, time.monotonic() + _REST_EVERY_S))
                self._rest()
        finally:
            for client in self._clients:
                client.end()
            self._follower.end()

    def _blow(self, until: float) -> None:
        for client in self._clients:
            client.go_on()
        while time.monotonic() < until:
            # Shuffled, not drawn: so each comes before one comes again.
            self._deck = self._deck or self._random.sample(faults.ALL, len(faults.ALL))
            fault = self._deck.pop()
            _tell(f"{time.monotonic():.1f} {fault.__name__}")
            with contextlib.suppress(httpx.HTTPError):
                fault(self._scene)
            self._stage.tally.fault(fault.__name__)
            time.sleep(self._random.uniform(*_CALM_S))

    def _rest(self) -> None:
        with ExitStack() as resting:
            expected: State = {}
            for client in self._clients:
                expected = {**expected, **resting.enter_context(client.resting())}
            self._stage.node.wait_healthy()
            self._look(expected)

    def _look(self, expected: State) -> None:
        """Look at all promises; what needs a moment to come true has it."""
        tally, promises = self._stage.tally, self._promises
        checks = {
            "lost": lambda: [*promises.lost(expected), *promises.versions()],
            "orphaned": lambda: [*promises.orphaned()],
            "deaths": lambda: [*promises.deaths(len(self._scene.killed))],
        }
        found = {name: _lasting(check) for name, check in checks.items()}
        lost, doubled = _lasting_pair(lambda: promises.events(list(self._follower.numbers)))
        tally.lost += [*found["lost"], *lost]
        tally.duplicated += doubled
        tally.orphaned += [*found["orphaned"], *found["deaths"]]
        _tell(tally.closing_line(), *tally.broken)


def _lasting(check: Check) -> list[str]:
    """Return what is still found when there was time for it to go."""
    return _lasting_pair(lambda: (check(), []))[0]


def _lasting_pair(check: Checks) -> tuple[list[str], list[str]]:
    deadline = time.monotonic() + _HEAL_LIMIT_S
    while True:
        try:
            found = check()
        except (httpx.HTTPError, AssertionError, FileNotFoundError) as fault:
            found = ([f"could not look: {fault!r}"], [])
        if not any(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def _keep_log(node: DisturbedNode) -> None:
    """Keep the node's log: too long to be shown, and all there is to learn from."""
    _LOG.parent.mkdir(exist_ok=True)
    shutil.copyfile(node.folder / "log", _LOG)


@contextmanager
def weather(contexts: Contexts) -> Iterator[Stage]:
    """Run a node on a small disk, its databases on a faulty one, behind proxies; leave nothing."""
    node = DisturbedNode(WHERRY_STOP_GRACE_S="1")
    with ExitStack() as stack:
        stack.callback(node.destroy)
        disk = stack.enter_context(faulty_disk(node.root, node.folder))
        server = stack.enter_context(RegistryServer())
        host, port = server.authority.split(":")
        registry = stack.enter_context(Proxy(at=(host, 0), to=(host, int(port))))
        front = stack.enter_context(Proxy(at=str(node.folder / "p.sock"), to=str(node.socket)))
        stack.callback(_keep_log, node)
        node.up()
        verbs = PluginVerbs(node=node, contexts=contexts, remote=f"{registry.authority}/p")
        verbs.publish(("v1", "v2"))
        eventually(lambda: not node.files(), "the node is empty")
        yield Stage(node=node, front=front, registry=registry, disk=disk, verbs=verbs)
