"""The event stream: what it tells, to whom, in which order, and when it ends."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import docker
import pytest

from tests.support.node import Node, eventually
from tests.support.plugin_context import Contexts

_LIFE = ["create", "enable", "disable", "remove"]


class Follower:
    """A `docker events` that runs, and what it has printed."""

    def __init__(self, node: Node, *args: str) -> None:
        self._process = subprocess.Popen(
            ["docker", "events", "--format", "json", *args],
            env=node.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def actions(self) -> list[str]:
        """Return what happened, oldest first."""
        return [event["Action"] for event in self.events]

    def wait_for(self, count: int) -> None:
        """Wait until so many events have come."""
        eventually(lambda: len(self.events) >= count, f"{count} events came")

    def wait(self) -> int:
        """Wait until it ends by itself and return its exit status."""
        return self._process.wait(timeout=20)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.events.append(json.loads(line))


@contextmanager
def _following(node: Node, *args: str) -> Iterator[Follower]:
    """Follow until the end of the block, which begins when the node has heard of it."""
    before = node.get("/info")["NEventsListener"]
    follower = Follower(node, *args)
    try:
        eventually(lambda: node.get("/info")["NEventsListener"] > before, "it listens")
        yield follower
    finally:
        follower.end()
    eventually(lambda: node.get("/info")["NEventsListener"] == before, "it is forgotten")


def _live(node: Node, contexts: Contexts, name: str) -> str:
    """Take a plugin through its life and return its id."""
    node.create(name, contexts.tar())
    plugin_id = str(node.get(f"/plugins/{name}/json")["Id"])
    node.enable(name)
    node.disable(name)
    node.remove(name)
    return plugin_id


def _lines(node: Node, **params: str) -> list[dict[str, Any]]:
    answer = node.http.get("/events", params=params)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def _stamp() -> str:
    return f"{time.time():.9f}"


def test_the_cli_prints_what_happened(node: Node, contexts: Contexts) -> None:
    """`docker events` with an end prints time, type, action, id and name, and ends."""
    since = _stamp()
    plugin_id = _live(node, contexts, "told")

    printed = node.docker("events", "--since", since, "--until", _stamp()).splitlines()

    assert [line.split(" ", 1)[1] for line in printed] == [
        f"plugin {action} {plugin_id} (name=told:latest)" for action in _LIFE
    ]
    assert sorted(printed) == printed


def test_an_event_has_dockers_keys(node: Node, contexts: Contexts) -> None:
    """An event of a plugin has these keys, in this order, and no legacy ones."""
    since = _stamp()
    plugin_id = _live(node, contexts, "shape")

    first = _lines(node, since=since, until=_stamp())[0]

    assert list(first) == ["Type", "Action", "Actor", "scope", "time", "timeNano"]
    assert first["Actor"] == {"ID": plugin_id, "Attributes": {"name": "shape:latest"}}
    assert (first["Type"], first["Action"], first["scope"]) == ("plugin", "create", "local")
    assert first["time"] == first["timeNano"] // 10**9


def test_the_name_is_the_plugins_own(node: Node, contexts: Contexts) -> None:
    """An event names the plugin canonically, however the caller named it."""
    since = _stamp()
    node.create("canon", contexts.tar())
    prefix = node.get("/plugins/canon/json")["Id"][:5]
    node.enable(prefix)

    events = _lines(node, since=since, until=_stamp())

    assert [e["Actor"]["Attributes"]["name"] for e in events] == ["canon:latest"] * 2


def test_live_followers_get_all_in_order_and_once(node: Node, contexts: Contexts) -> None:
    """Several followers see the same events, as they happen."""
    with ExitStack() as stack:
        followers = [stack.enter_context(_following(node)) for _ in range(3)]

        _live(node, contexts, "live")

        for follower in followers:
            follower.wait_for(4)
    assert [follower.actions for follower in followers] == [_LIFE] * 3


def test_what_happened_before_is_not_told_to_a_follower(node: Node, contexts: Contexts) -> None:
    """Without since, the past stays the past, also the moment before."""
    node.create("before", contexts.tar())
    with _following(node) as follower:
        node.remove("before")
        follower.wait_for(1)

    assert follower.actions == ["remove"]


def test_since_replays_and_goes_on(node: Node, contexts: Contexts) -> None:
    """With since, a follower gets the past and then the present, without a gap or a double."""
    since = _stamp()
    node.create("both", contexts.tar())
    node.enable("both")
    with _following(node, "--since", since) as follower:
        node.disable("both")
        node.remove("both")
        follower.wait_for(4)

    assert follower.actions == _LIFE


def test_followers_that_come_in_the_middle_miss_nothing(node: Node, contexts: Contexts) -> None:
    """Whenever a follower with since comes, it sees every event once."""
    since = _stamp()
    node.create("busy", contexts.tar(env=[{"name": "A", "settable": ["value"]}]))

    def change() -> None:
        with node.client() as client:
            for number in range(60):
                assert client.post("/plugins/busy/set", json=[f"A={number}"]).status_code == 204

    changing = threading.Thread(target=change)
    changing.start()
    with ExitStack() as stack:
        followers: list[Follower] = []
        while changing.is_alive() and len(followers) < 4:
            follower = Follower(node, "--since", since)
            stack.callback(follower.end)
            followers.append(follower)
            follower.wait_for(1)
        changing.join()
        for follower in followers:
            follower.wait_for(61)
    for follower in followers:
        assert follower.actions == ["create", *["set"] * 60]
        times = [event["timeNano"] for event in follower.events]
        assert sorted(set(times)) == times


def test_until_in_the_past_replays_and_ends(node: Node, contexts: Contexts) -> None:
    """Both ends in the past give what lies between them, and nothing else."""
    node.create("early", contexts.tar())
    since = _stamp()
    node.create("middle", contexts.tar())
    until = _stamp()
    node.create("late", contexts.tar())

    events = _lines(node, since=since, until=until)

    assert [e["Actor"]["Attributes"]["name"] for e in events] == ["middle:latest"]


def test_until_now_has_what_was_answered(node: Node, contexts: Contexts) -> None:
    """What a verb has answered is in the feed of whoever asks next."""
    node.create("now", contexts.tar(env=[{"name": "A", "settable": ["value"]}]))
    for number in range(30):
        since = _stamp()
        assert node.http.post("/plugins/now/set", json=[f"A={number}"]).status_code == 204
        assert [e["Action"] for e in _lines(node, since=since, until=_stamp())] == ["set"]


def test_until_in_the_future_ends_then(node: Node, contexts: Contexts) -> None:
    """With an end that is to come, events are told live, and the CLI ends by itself."""
    until = time.time() + 4.0
    with _following(node, "--since", _stamp(), "--until", f"{until:.3f}") as follower:
        node.create("soon", contexts.tar())
        eventually(lambda: follower.events, "the creation came", limit_s=3.5)
        assert follower.wait() == 0

    assert until - 0.1 < time.time() < until + 10
    assert follower.actions == ["create"]


@pytest.mark.parametrize(
    ("filters", "actions"),
    [
        ({"event": ["enable"]}, ["enable"]),
        ({"event": ["enable", "remove"]}, ["enable", "remove"]),
        ({"type": ["plugin"]}, _LIFE),
        ({"type": ["container"]}, []),
        ({"scope": ["local"]}, _LIFE),
        ({"plugin": ["filt"]}, _LIFE),
        ({"plugin": ["filtered:latest"], "event": ["create"]}, ["create"]),
        ({"plugin": ["other"]}, []),
        ({"container": ["filtered"]}, _LIFE),
        ({"label": ["name=filtered:latest"]}, _LIFE),
        ({"label": ["name=other"]}, []),
        ({"colour": ["red"]}, _LIFE),
        ({"event": {"disable": True}}, ["disable"]),
    ],
)
def test_filters_choose_events(
    node: Node, contexts: Contexts, filters: dict[str, Any], actions: list[str]
) -> None:
    """Keys are and-ed, values are or-ed, unknown keys are passed over."""
    since = _stamp()
    _live(node, contexts, "filtered")

    events = _lines(node, since=since, until=_stamp(), filters=json.dumps(filters))

    assert [event["Action"] for event in events] == actions


def test_a_filter_holds_for_live_events_too(node: Node, contexts: Contexts) -> None:
    """The CLI's filter lets only what it names through."""
    with _following(node, "--filter", "event=remove", "--filter", "type=plugin") as follower:
        _live(node, contexts, "chosen")
        follower.wait_for(1)

    assert follower.actions == ["remove"]


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"since": "soon"}, 500, 'strconv.ParseInt: parsing "soon": invalid syntax'),
        ({"until": "1.x"}, 500, 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            {"since": "20", "until": "10"},
            400,
            "`since` time (20) cannot be after `until` time (10)",
        ),
        ({"filters": "{"}, 400, "invalid filter"),
    ],
)
def test_wrong_parameters_are_refused(
    node: Node, params: dict[str, str], status: int, message: str
) -> None:
    """What is no time and no filter is told before the stream begins."""
    answer = node.http.get("/events", params=params)

    assert (answer.status_code, answer.json()["message"]) == (status, message)


def test_docker_py_reads_events(
    node: Node, docker_py: docker.DockerClient, contexts: Contexts
) -> None:
    """docker-py decodes the stream."""
    since = time.time()
    _live(node, contexts, "pie")

    events = docker_py.events(since=since, until=time.time(), decode=True)

    assert [event["Action"] for event in events] == _LIFE


def test_server_sent_events_carry_a_place_to_go_on(node: Node, contexts: Contexts) -> None:
    """A reader of /wherry/v1/events goes on behind the id it saw last."""
    node.create("sse", contexts.tar())
    last = node.feed()[-1]["seq"]
    node.remove("sse")

    answer = node.http.get(
        "/wherry/v1/events",
        params={"until": _stamp()},
        headers={"Accept": "text/event-stream", "Last-Event-ID": str(last)},
    )

    ident, data, *_ = answer.text.splitlines()
    assert ident == f"id: {last + 1}"
    assert json.loads(data.removeprefix("data: "))["action"] == "remove"
