"""What goes on in a plugin: `wherry plugin logs` and the routes behind it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from tests.support.node import Node, eventually
from tests.support.plugin_context import ANSWERS, Contexts


def _output(node: Node, **query: str) -> list[str]:
    lines = node.get("/wherry/v1/plugins/p/logs", **query)["lines"]
    return [line["text"] for line in lines]


def test_output_of_a_plugin_that_failed_to_start(node: Node, contexts: Contexts) -> None:
    """What a plugin said before it died is there to read, though its container is gone."""
    node.create("p", contexts.tar("stderr=no such backend", "exit=3"))
    assert "exit" in node.docker_fails("plugin", "enable", "p")

    assert node.containers() == []
    assert _output(node) == ["no such backend"]


def test_output_is_deleted_with_the_plugin(node: Node, contexts: Contexts) -> None:
    """A removed plugin leaves no output behind."""
    node.create("p", contexts.tar("print=1", *ANSWERS))
    node.enable("p")
    plugin_id = node.get("/wherry/v1/plugins/p")["plugin_id"]
    node.docker("plugin", "disable", "p")
    kept = node.root / "output" / plugin_id
    assert kept.exists()

    node.docker("plugin", "rm", "p")

    assert not kept.exists()


def test_logs_are_followed_over_a_crash(node: Node, contexts: Contexts) -> None:
    """Who follows sees the plugin's end and what the next container writes, in order."""
    node.create("p", contexts.tar("print=1", *ANSWERS, "delay=500", "stderr=oh", "exit=3"))
    node.enable("p")
    told: list[dict[str, Any]] = []
    with node.http.stream("GET", "/wherry/v1/plugins/p/logs?follow=1") as response:
        for text in response.iter_lines():
            told.append(json.loads(text))
            if sum("started_at_ns" in entry for entry in told) == 2 and "line" in told[-1]:
                break

    first, second = (entry["container_id"] for entry in told if "started_at_ns" in entry)
    assert first != second
    assert " ".join(map(_short, told)) == "began line-1 oh exit-3 began line-1"


def test_logs_follow_and_stop_by_command(node: Node, contexts: Contexts) -> None:
    """The command follows until Ctrl-C, its streams apart, and marks a restart."""
    node.create("p", contexts.tar("print=1", "stderr=careful", *ANSWERS))
    with node.begin_wherry("plugin", "logs", "-f", "p") as logs:
        node.enable("p")
        assert (logs.says(), logs.complains()) == ("line 1", "careful")
        node.disable("p")
        node.enable("p")
        assert logs.says() == "line 1"
        assert logs.complains().endswith("exited with code 0 ---")
        assert logs.complains().endswith("started ---")
        assert logs.interrupt() == 130


def test_logs_go_on_when_the_executor_is_killed(node: Node, contexts: Contexts) -> None:
    """Who follows with the command is shown what is written after the executor came back."""
    node.create("p", contexts.tar("print=1", *ANSWERS))
    with node.begin_wherry("plugin", "logs", "-f", "p") as logs:
        node.enable("p")
        assert logs.says() == "line 1"
        node.kill("executor")
        assert "waiting" in logs.complains()
        node.wait_healthy()
        node.disable("p")
        node.enable("p")
        assert logs.says() == "line 1"


def test_parts_of_the_output(node: Node, contexts: Contexts) -> None:
    """A part is asked for by number and by time, as with `docker logs`."""
    node.create("p", contexts.tar("print=5", *ANSWERS))
    node.enable("p")

    assert node.wherry("plugin", "logs", "--tail", "2", "p") == "line 4\nline 5\n"
    assert node.wherry("plugin", "logs", "--since", "1h", "p").count("line") == 5
    assert node.wherry("plugin", "logs", "--until", "1h", "p") == ""
    stamped = node.wherry("plugin", "logs", "-t", "-n", "1", "p")
    stamp, _, text = stamped.partition(" ")
    assert text == "line 5\n"
    assert node.wherry("plugin", "logs", "--since", stamp, "--until", stamp, "p").endswith(
        "line 5\n"
    )


def test_a_reader_that_leaves_is_forgotten(node: Node, contexts: Contexts) -> None:
    """A follower that hangs up leaves no watch behind in the executor."""
    node.create("p", contexts.tar("print=1", *ANSWERS))
    node.enable("p")
    executor = node.pids()["executor"]
    before = _sockets(executor)
    for _ in range(5):
        with node.http.stream("GET", "/wherry/v1/plugins/p/logs?follow=1") as response:
            next(response.iter_lines())
    eventually(lambda: _sockets(executor) <= before, "its streams are closed")


def test_processes(node: Node, contexts: Contexts) -> None:
    """A plugin's processes are listed with the host's pids, in the columns that are asked for."""
    node.create("p", contexts.tar("fork", *ANSWERS))
    pid = node.enable("p")["pid"]

    heading, *rows = node.wherry("plugin", "top", "p", "-o", "pid,ppid,args").splitlines()

    assert heading.split() == ["PID", "PPID", "COMMAND"]
    assert len(rows) == 2
    assert sum(row.split()[0] == str(pid) for row in rows) == 1
    assert sum(row.split()[1] == str(pid) for row in rows) == 1
    assert len(node.get("/wherry/v1/plugins/p/top")["processes"]) == 2
    assert len(node.get("/wherry/v1/plugins/p/top", ps_args="aux")["processes"]) == 2
    wrong = node.http.get("/wherry/v1/plugins/p/top", params={"ps_args": "--nonsense"})
    assert wrong.status_code == 400


def test_figures(node: Node, contexts: Contexts) -> None:
    """What a plugin uses is told in Docker's figures, with its limits."""
    node.create("p", contexts.tar("eat=20", *ANSWERS))
    limits = {"memory_bytes": 64 << 20, "pids": 9}
    assert node.http.put("/wherry/v1/plugins/p/resources", json=limits).status_code == 200
    node.enable("p")

    stats = node.get("/wherry/v1/plugins/p/stats", stream="0")

    assert stats["memory_stats"]["limit"] == 64 << 20
    assert 20 << 20 < stats["memory_stats"]["usage"] < 64 << 20
    assert stats["pids_stats"] == {"current": 1, "limit": 9}
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["cpu_stats"]["system_cpu_usage"] > stats["precpu_stats"]["system_cpu_usage"]
    heading, row = node.wherry("plugin", "stats", "--no-stream").splitlines()
    assert heading.startswith("NAME")
    assert row.startswith("p:latest")
    assert " / 64MiB" in row


def test_figures_go_on(node: Node, contexts: Contexts) -> None:
    """They come each second until the plugin is removed."""
    node.create("p", contexts.tar())
    node.enable("p")
    path = "/wherry/v1/plugins/p/stats"
    with node.client() as other, node.http.stream("GET", path) as response:
        lines = response.iter_lines()
        first, second = json.loads(next(lines)), json.loads(next(lines))
        other.delete("/plugins/p", params={"force": "1"}).raise_for_status()
        rest = list(lines)
    assert second["preread"] == first["read"] < second["read"]
    assert len(rest) <= 1


def test_status(node: Node, contexts: Contexts) -> None:
    """The status of a plugin tells what is observed, what is installed, and its last words."""
    node.create("p", contexts.tar("print=9", *ANSWERS, network={"type": "host"}))
    observed = node.enable("p")

    text = node.wherry("plugin", "status", "p")
    told = json.loads(node.wherry("plugin", "status", "--json", "p"))

    rows = dict(line.split(None, 1) for line in text.splitlines()[:4])
    assert rows["name"] == "p:latest"
    assert rows["state"].startswith("running for ")
    assert f"{observed['pid']}, container {observed['container_id']}" in text
    assert "network host (created)" in text
    assert text.endswith("\n  line 8\n  line 9\n")
    assert told["status"] == observed
    assert told["last_lines"][-1] == "line 9"


def _short(entry: dict[str, Any]) -> str:
    if "line" in entry:
        return str(entry["line"]["text"]).replace(" ", "-")
    return f"exit-{entry['exit']['exit_code']}" if "exit" in entry else "began"


def _sockets(pid: int) -> int:
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += link.readlink().name.startswith("socket:")
    return found
