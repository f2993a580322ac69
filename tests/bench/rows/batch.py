"""Many running plugins upgraded: one batch, against the loop an operator would write."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.api import Api
from tests.bench.failure import BenchFailed
from tests.bench.images import Images
from tests.bench.run import Group, Row, Run
from tests.bench.side import Side
from tests.support.registry import RegistryServer
from tests.support.registry_content import Content

_COUNT = 50
_AT_A_TIME = 8
_ROUNDS = 3
_UPGRADE = f"upgrade {_COUNT} that run, {_AT_A_TIME} at a time"
_NAMES = [f"bench/batch-{number}:latest" for number in range(_COUNT)]


def _measure(run: Run) -> None:
    with RegistryServer(below=run.folder) as registry:
        repository = Content(authority=registry.authority, path="bench/batch")
        images = Images(contexts=run.contexts, repository=repository, folder=run.folder)
        for side in run.sides:
            with side.api() as api:
                for name in _NAMES:
                    api.create(name, run.contexts.small(name))
            _all(side, Api.enable)
            side.settle()
        for number in range(1 if run.is_quick else _ROUNDS):
            # A version that neither side has anything of.
            tag = f"version-{number}"
            remote = images.publish(tag, images.layer(tag, [("tag", tag.encode())]))
            for side in run.sides:
                with run.record.turn(_UPGRADE, side) as turn, turn.timed():
                    (_batch if side.name == "wherry" else _loop)(side, remote)
                side.settle()
        for side in run.sides:
            side.remove_all()


def _batch(side: Side, remote: str) -> None:
    """Have all upgraded as one, and read what is told until that is over."""
    body = {
        "selector": {"enabled": True},
        "target": {"reference": remote},
        "policy": "grant-all",
        # The loop does not watch what it has started.
        "update": {"parallelism": _AT_A_TIME, "monitor_s": 0},
    }
    with side.api() as api:
        path = "/wherry/v1/upgrades"
        begun = json.loads(api.request("POST", path, json.dumps(body).encode(), "application/json"))
        told = api.request("GET", f"{path}/{begun['batch_id']}/progress")
    ended = json.loads(told.splitlines()[-1])["upgrade"]
    if ended["counts"] != {"upgraded": _COUNT}:
        raise BenchFailed(f"the batch is {ended['state']}: {ended['message']} {ended['counts']}")


def _loop(side: Side, remote: str) -> None:
    """Disable, upgrade and enable each, as the docker CLI does it one by one."""

    def upgrade(api: Api, name: str) -> None:
        privileges = api.privileges(remote)
        api.disable(name)
        api.upgrade(name, remote, privileges)
        api.enable(name)

    _all(side, upgrade)


def _all(side: Side, do: Callable[[Api, str], None]) -> None:
    """Do it to all, each worker over a connection of its own."""
    shares = [_NAMES[worker::_AT_A_TIME] for worker in range(_AT_A_TIME)]

    def work(names: list[str]) -> None:
        with side.api() as api:
            for name in names:
                do(api, name)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(work, shares))


GROUP = Group(name="batch", rows=(Row(name=_UPGRADE),), measure=_measure)
