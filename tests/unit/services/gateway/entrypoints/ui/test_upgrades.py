"""Upgrades of many plugins in the console."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.batch import (
    Batch,
    BatchChanges,
    BatchList,
    BatchPlugin,
    BatchReply,
    BatchRequest,
    BatchState,
    CreateBatch,
    Difference,
    ItemState,
    ListBatches,
    PauseBatch,
    PlannedPlugin,
    RollBackBatch,
    Target,
    WatchBatch,
)
from tests.support.gateway import plugin_id
from tests.unit.services.gateway.entrypoints.ui.conftest import Console

_PAGE = "/ui/upgrades/b1"
_PLUGIN = PlannedPlugin(
    number=0,
    node="n",
    plugin_id=plugin_id("a"),
    name="a/plugin:latest",
    enabled=True,
    from_reference="r/a:v1",
    from_digest="sha256:" + "1" * 64,
    to_reference="r/a:v2",
    to_digest="sha256:" + "2" * 64,
    privileges=(Difference(what="<mount>", old=None, new="/etc"),),
    state=ItemState.UPGRADED,
)


def _batch(state: BatchState = BatchState.UPDATING) -> Batch:
    return Batch(
        batch_id="b1",
        request=BatchRequest(target=Target(tag="v2")),
        state=state,
        created_at_ns=1,
        counts={ItemState.UPGRADED: 1, ItemState.PENDING: 1},
    )


@pytest.fixture(autouse=True)
def _answers(console: Console) -> None:
    reply = BatchReply(batch=_batch())
    console.world.sender.answers |= {
        ListBatches: BatchList(batches=(_batch(),)),
        WatchBatch: BatchChanges(
            position="0-1", batch=_batch(), plugins=(BatchPlugin(plugin=_PLUGIN),)
        ),
        CreateBatch: reply,
        PauseBatch: reply,
        RollBackBatch: reply,
    }


async def test_pages(console: Console) -> None:
    """The list leads to the plan: from what to what, what changes, how far it is."""
    listed = (await console.http.get("/ui/upgrades")).text
    assert f'href="{_PAGE}"' in listed
    assert "1 of 2" in listed
    shown = (await console.http.get(_PAGE)).text
    for said in ("a/plugin:latest", "1" * 12, "2" * 12, "needs &lt;mount&gt;", "1 upgraded"):
        assert said in shown, said
    for verb in ("pause", "cancel", "rollback"):
        assert f'action="{_PAGE}/{verb}"' in shown
    assert f'action="{_PAGE}/resume"' not in shown


async def test_live(console: Console) -> None:
    """An upgrade's page goes on where it stands, and is told anew where it is not known."""
    page = (await console.http.get(_PAGE)).text
    position = page.split('data-position="')[1].split('"')[0]
    console.world.stopping.set()
    headers = {"accept": "text/event-stream"}
    same = await console.http.get(_PAGE, headers=headers | {"last-event-id": position})
    assert same.text == f"id: {position}\nevent: morph\ndata:\n\n"
    other = await console.http.get(_PAGE, headers=headers)
    assert '<tbody id="plan">' in other.text


@pytest.mark.parametrize(("verb", "command"), [("pause", PauseBatch), ("rollback", RollBackBatch)])
async def test_steered(console: Console, verb: str, command: Any) -> None:
    """Each control is the command that it names."""
    done = await console.post(f"{_PAGE}/{verb}", token=await console.token())
    assert (done.status_code, done.headers["location"]) == (303, _PAGE)
    assert command(batch_id="b1") in console.world.sender.sent
    wrong = await console.post(f"{_PAGE}/explode", token=await console.token())
    assert wrong.status_code == 404


async def test_planned(console: Console) -> None:
    """The form is the request it says; what is left empty narrows nothing."""
    form = {"capability": "volumedriver", "names": "", "to": "v2", "parallelism": "8"}
    more = {"max_failure_percent": "10", "failure_action": "rollback", "enabled": "enabled"}
    token = await console.token()
    done = await console.post("/ui/upgrades/new", token=token, do="plan", **form, **more)
    assert done.headers["location"] == _PAGE
    (sent,) = (c for c in console.world.sender.sent if isinstance(c, CreateBatch))
    wish = sent.request
    assert wish.dry_run
    assert (wish.selector.capability, wish.selector.enabled) == ("volumedriver", True)
    assert wish.selector.names == ()
    assert wish.target == Target(tag="v2")
    assert (wish.update.parallelism, wish.update.max_failure_ratio) == (8, 0.1)


async def test_begun(console: Console) -> None:
    """A plan that is begun is asked for anew, and not as a plan."""
    done = await console.post(f"{_PAGE}/begin", token=await console.token())
    assert done.headers["location"] == _PAGE
    (sent,) = (c for c in console.world.sender.sent if isinstance(c, CreateBatch))
    assert not sent.request.dry_run
    assert sent.request.target == Target(tag="v2")


async def test_no_target(console: Console) -> None:
    """Without a target nothing is asked for."""
    refused = await console.post("/ui/upgrades/new", token=await console.token(), to=" ")
    assert refused.status_code == 400
    assert "what the plugins are to become" in refused.text
    wrong = await console.post(
        "/ui/upgrades/new", token=await console.token(), to="v2", parallelism="many"
    )
    assert wrong.status_code == 400
