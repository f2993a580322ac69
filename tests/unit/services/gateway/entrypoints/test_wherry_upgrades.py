"""Upgrades of many plugins over HTTP: asked of the controller, followed, refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared import errdefs
from shared.contracts import batch as contracts
from shared.contracts.batch import Batch, BatchChanges, BatchPlugin, BatchState, PlannedPlugin
from shared.contracts.node import Fleet, ListNodes, Node, NodeState
from tests.support.gateway_app import AppWorld

_BODY = {"selector": {"enabled": True}, "target": {"tag": "v2"}}


def _batch(state: BatchState = BatchState.UPDATING, **changes: Any) -> Batch:
    request = contracts.BatchRequest(target=contracts.Target(tag="v2"))
    return Batch(batch_id="b", request=request, state=state, created_at_ns=1, **changes)


def _plugin(number: int) -> BatchPlugin:
    planned = PlannedPlugin(
        number=number,
        node="n",
        plugin_id=f"{number}",
        name=f"p{number}",
        enabled=True,
        from_reference="r:v1",
        from_digest="sha256:a",
        to_reference="r:v2",
    )
    return BatchPlugin(plugin=planned)


async def test_create(world: AppWorld) -> None:
    """What is asked reaches the controller, with swarm's defaults for what is not said."""
    world.sender.answers[contracts.CreateBatch] = contracts.BatchReply(batch=_batch())

    response = await world.client.post("/wherry/v1/upgrades", json=_BODY)

    assert response.status_code == 202
    assert response.json()["batch_id"] == "b"
    (sent,) = world.sender.sent
    assert isinstance(sent, contracts.CreateBatch)
    assert sent.request.selector.enabled is True
    assert sent.request.update.parallelism == 1
    assert not sent.credentials


async def test_a_login_is_sealed_to_each_node(world: AppWorld) -> None:
    """Nothing of it travels in the clear; a node without a key gets none."""
    world.sender.answers[contracts.CreateBatch] = contracts.BatchReply(batch=_batch())
    nodes = tuple(
        Node(
            name=name,
            state=NodeState.READY,
            joined_at_ns=1,
            state_since_ns=1,
            seal_key=key,
        )
        for name, key in (("n1", "k1"), ("n2", ""))
    )
    world.sender.answers[ListNodes] = Fleet(active="n1", nodes=nodes)
    auth = base64.urlsafe_b64encode(b'{"username": "u", "password": "p"}').decode()

    await world.client.post("/wherry/v1/upgrades", json=_BODY, headers={"X-Registry-Auth": auth})

    sent = world.sender.sent[-1]
    assert isinstance(sent, contracts.CreateBatch)
    assert list(sent.credentials) == ["n1"]
    assert sent.credentials["n1"].box.startswith(f"k1|{sent.batch_id}|")


async def test_the_same_key_is_the_same_upgrade(world: AppWorld) -> None:
    """A request that is repeated under its key names the same batch."""
    world.sender.answers[contracts.CreateBatch] = contracts.BatchReply(batch=_batch())
    for _ in range(2):
        headers = {"Idempotency-Key": "once"}
        await world.client.post("/wherry/v1/upgrades", json=_BODY, headers=headers)

    first, second = world.sender.sent
    assert first == second


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"selector": {"enabled": True}},
        {**_BODY, "pace": 3},
        {**_BODY, "selector": {"nmaes": ["p"]}},
        {**_BODY, "update": {"parallelism": -1}},
        {**_BODY, "update": {"failure_action": "panic"}},
        {**_BODY, "update": {"max_failure_ratio": 2}},
    ],
    ids=["empty", "target", "extra", "selector", "negative", "action", "ratio"],
)
async def test_what_can_not_be_meant(world: AppWorld, body: dict[str, Any]) -> None:
    """A misspelt wish is refused and not taken for none."""
    response = await world.client.post("/wherry/v1/upgrades", json=body)

    assert response.status_code == 400
    assert not world.sender.sent


async def test_get_reads_all_pages(world: AppWorld) -> None:
    """An upgrade is shown with all of its plugins, however many answers that takes."""
    pages = [
        BatchChanges(position="p-1", batch=_batch(), plugins=(_plugin(1),), has_more=True),
        BatchChanges(position="p-2", batch=_batch(), plugins=(_plugin(0),)),
    ]
    world.sender.answers[contracts.WatchBatch] = lambda _command: pages.pop(0)

    response = await world.get("/wherry/v1/upgrades/b")

    assert [one["plugin"]["number"] for one in response.json()["plugins"]] == [0, 1]


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*"])
async def test_progress(world: AppWorld, accept: str) -> None:
    """Changes are streamed until the upgrade is over, each with where a reader goes on."""
    over = _batch(BatchState.COMPLETED, is_over=True)
    said = [
        BatchChanges(position="0000000a-1", batch=_batch(), plugins=()),
        BatchChanges(position="0000000a-1", batch=_batch(), plugins=(_plugin(0),)),
        BatchChanges(position="0000000a-2", batch=over, plugins=()),
    ]
    world.sender.answers[contracts.WatchBatch] = lambda _command: said.pop(0)

    response = await world.client.get("/wherry/v1/upgrades/b/progress", headers={"Accept": accept})

    lines = [line for line in response.text.splitlines() if "{" in line]
    shown = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [len(one["plugins"]) for one in shown] == [1, 0]
    assert shown[-1]["upgrade"]["state"] == "completed"
    assert ("id: 0000000a-2" in response.text) is (accept == "text/event-stream")


async def test_progress_of_none(world: AppWorld) -> None:
    """What nobody knows is 404 before anything is streamed."""
    world.sender.answers[contracts.WatchBatch] = errdefs.NotFound("upgrade x not found")

    assert (await world.get("/wherry/v1/upgrades/x/progress")).status_code == 404


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        ("pause", contracts.PauseBatch),
        ("resume", contracts.ResumeBatch),
        ("cancel", contracts.CancelBatch),
        ("rollback", contracts.RollBackBatch),
    ],
    ids=["pause", "resume", "cancel", "rollback"],
)
async def test_steering(world: AppWorld, verb: str, command: Any) -> None:
    """Each verb is a command, and its refusal the answer."""
    world.sender.answers[command] = contracts.BatchReply(batch=_batch())
    answered = await world.client.post(f"/wherry/v1/upgrades/b/{verb}")
    world.sender.answers[command] = errdefs.Conflict("no")
    refused = await world.client.post(f"/wherry/v1/upgrades/b/{verb}")

    assert (answered.status_code, refused.status_code) == (200, 409)


async def test_list(world: AppWorld) -> None:
    """Upgrades are listed as the controller has them."""
    world.sender.answers[contracts.ListBatches] = contracts.BatchList(batches=(_batch(),))

    response = await world.get("/wherry/v1/upgrades")

    assert [one["batch_id"] for one in response.json()["upgrades"]] == ["b"]
