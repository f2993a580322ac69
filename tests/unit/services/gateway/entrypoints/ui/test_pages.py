"""Pages of the console, whole and without scripts."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.entrypoints.ui.nodes import NodesCard
from services.gateway.service.fleet import Services
from shared import errdefs
from shared.contracts.event import ReadFeed
from shared.contracts.executor import Exit, FollowLog, LogEntry, LogLine
from shared.contracts.health import CheckHealth, ServiceHealth
from shared.contracts.job import JobList, ListJobs
from shared.contracts.node import Availability, Fleet, ListNodes, Node, NodeState
from shared.contracts.plugin import PluginState, PluginStatus
from shared.contracts.recovery import GetRecovery, RecoveryReport
from shared.contracts.reference import ListReferences, Reference, ReferenceList
from tests.support.gateway import changed, event, plugin, plugin_id
from tests.support.gateway_streams import FakeStream
from tests.unit.services.gateway.entrypoints.ui.conftest import Console

_HEALTH = ServiceHealth(
    service="store",
    node="n",
    version="1",
    pid=4711,
    started_at_ns=1,
    healthy=True,
    lag=3,
    pending=2,
)
_HOSTILE = "<script>alert(1)</script>"


def _node(name: str, **more: Any) -> Node:
    return Node(
        **{
            "name": name,
            "state": NodeState.READY,
            "joined_at_ns": 1,
            "state_since_ns": 1,
            **more,
        }
    )


@pytest.fixture(autouse=True)
def _answers(console: Console) -> None:
    held = Reference(
        plugin_id=plugin_id("a"),
        owner="volume/data1",
        capability="volumedriver",
        since_ns=1,
        ttl_s=60,
        until_ns=2,
    )
    console.world.sender.answers |= {
        CheckHealth: _HEALTH,
        ListNodes: Fleet(active="n", nodes=(_node("n"),)),
        ListJobs: JobList(jobs=()),
        GetRecovery: RecoveryReport(begun_at_ns=1),
        ListReferences: ReferenceList(plugin=plugin("a"), references=(held,)),
    }


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("/ui/", "Needs a look", id="overview"),
        pytest.param("/ui/plugins", "a/plugin:latest", id="plugins"),
        pytest.param("/ui/plugins/a/plugin:latest", "volume/data1", id="plugin by name"),
        pytest.param("/ui/plugins/aaaaaaaaaaaa", "volume/data1", id="plugin by id"),
        pytest.param("/ui/plugins/aaaaaaaaaaaa/events", "No event of it", id="its events"),
        pytest.param("/ui/events", "No event fits", id="events"),
        pytest.param("/ui/node", "4711", id="node"),
    ],
)
async def test_pages(console: Console, path: str, said: str) -> None:
    """Every page is whole as it comes, safe, and loaded anew where no scripts run."""
    page = await console.http.get(path)
    assert page.status_code == 200
    assert said in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"


async def test_static(console: Console) -> None:
    """Pages name files by their content; browsers may keep those for ever."""
    page = (await console.http.get("/ui/")).text
    address = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = await console.http.get(address)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    other = address.replace(address.split("/")[3], "0" * 16)
    assert (await console.http.get(other)).status_code == 404
    assert (await console.http.get("/ui/static/x/../../app.py")).status_code == 404


async def test_nothing_from_elsewhere(console: Console) -> None:
    """No page names another host, or has a style or a script in it."""
    for path in ("/ui/", "/ui/plugins", "/ui/plugins/aaaaaaaaaaaa", "/ui/node", "/ui/events"):
        text = (await console.http.get(path)).text
        for forbidden in ("http:", "https:", "<style", " style=", "<script>", " onclick="):
            assert forbidden not in text, (path, forbidden)


async def test_escaped(console: Console) -> None:
    """What plugins and their output say is shown, and never markup."""
    status = PluginStatus(
        state=PluginState.RESTARTING,
        last_exit=Exit(exit_code=1, exited_at_ns=1, last_output=(_HOSTILE,)),
    )
    hostile = plugin("a", enabled=True, status=status, settings={"Env": [f"A={_HOSTILE}"]})
    console.world.sender.answers[ReadFeed] = console.world.kept.answer
    console.world.kept.append(event(1, attributes={"name": _HOSTILE, "error": _HOSTILE}))
    await console.world.change(changed(5, hostile))
    line = LogEntry(
        container_id="c", line=LogLine(time_ns=1, stream="stderr", text=_HOSTILE)
    ).model_dump_json()
    for path in ("", "/logs", "/events"):
        console.world.streams.next = FakeStream(line.encode() + b"\n\n")
        text = (await console.http.get(f"/ui/plugins/aaaaaaaaaaaa{path}")).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


async def test_filtered(console: Console) -> None:
    """The list shows what a filter in the address takes, and says how many others there are."""
    text = (await console.http.get("/ui/plugins", params={"state": "running"})).text
    assert "0 of 1 plugins" in text
    assert 'id="p-' not in text


async def test_events_filtered(console: Console) -> None:
    """The feed is asked with the filter of the address; a span that is none is refused."""
    console.world.kept.append(event(1), event(2, action="die"))
    query = {"type": "plugin", "action": "die", "actor": "a/plugin", "span": ""}
    text = (await console.http.get("/ui/events", params=query)).text
    assert 'id="e-2"' in text
    assert 'id="e-1"' not in text
    refused = await console.http.get("/ui/events", params={"span": "a while"})
    assert refused.status_code == 400


async def test_logs(console: Console) -> None:
    """The log page begins with the last lines, and its stream goes on behind them."""
    entries = (
        LogEntry(container_id="c", started_at_ns=5),
        LogEntry(container_id="c", line=LogLine(time_ns=7, stream="stdout", text="ready")),
    )
    sent = b"".join(e.model_dump_json().encode() + b"\n" for e in entries)
    console.world.streams.next = FakeStream(sent + b"\n")
    text = (await console.http.get("/ui/plugins/aaaaaaaaaaaa/logs")).text
    assert "ready" in text
    assert 'data-position="7"' in text
    (asked,) = console.world.streams.asked
    assert isinstance(asked, FollowLog)
    assert (asked.tail, asked.follow) == (500, False)


async def test_errors(console: Console) -> None:
    """What is not there is a page that says so; a service that is away leaves the rest standing."""
    missing = await console.http.get("/ui/plugins/nobody")
    assert missing.status_code == 404
    assert "plugin &#34;nobody&#34; not found" in missing.text
    assert (await console.http.get("/ui/nowhere")).status_code == 404
    console.world.sender.answers[ListReferences] = errdefs.Unavailable("the store is away")
    page = await console.http.get("/ui/plugins/aaaaaaaaaaaa")
    assert page.status_code == 200
    assert "the store is away" in page.text


async def test_nodes(console: Console) -> None:
    """Of a fleet the overview names each node, how it is, which is the manager and which ours."""
    alone = (await console.http.get("/ui/")).text
    assert '<section id="nodes" class="card" aria-labelledby="h-nodes" hidden>' in alone
    nodes = (
        _node("n"),
        _node("m", state=NodeState.DOWN),
        _node("o", availability=Availability.DRAIN),
    )
    card = NodesCard(
        services=Services(sender=console.world.sender, vault=console.world.vault), node="n"
    )
    console.world.sender.answers[ListNodes] = Fleet(active="o", nodes=nodes)
    shown = await card.show()
    assert 'aria-labelledby="h-nodes">' in shown
    n, m, o = shown.split("<tr id=")[1:]
    assert "this one" in n
    assert '<span class="state bad">' in m
    assert "since <time" in m
    assert '<span class="state warn">' in o
    assert "manager" in o
    assert "drain" in o


async def test_nodes_while_the_controller_is_away(console: Console) -> None:
    """What was known of the fleet stays, with the reason why it may no longer be so."""
    card = NodesCard(
        services=Services(sender=console.world.sender, vault=console.world.vault), node="n"
    )
    console.world.sender.answers[ListNodes] = errdefs.Unavailable("the controller is away")
    assert "hidden" in await card.show()
    console.world.sender.answers[ListNodes] = Fleet(active="n", nodes=(_node("m"), _node("n")))
    assert "away" not in await card.show()
    console.world.sender.answers[ListNodes] = errdefs.Unavailable("the controller is away")
    shown = await card.show()
    assert "the controller is away" in shown
    assert shown.count("<tr id=") == 2


async def test_head(console: Console) -> None:
    """HEAD is answered as GET; /ui leads to the first page."""
    assert (await console.http.head("/ui/plugins")).status_code == 200
    moved = await console.http.get("/ui")
    assert (moved.status_code, moved.headers["location"]) == (308, "/ui/")
