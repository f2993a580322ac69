"""What a plugin was granted: shown, extended by set, asked for at every start."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import PROCESSES, Node
from tests.support.plugin_context import Contexts
from tests.support.published import publish
from tests.support.registry import RegistryServer

_HOST = {"Name": "network", "Value": ["host"]}


def _grant(node: Node, name: str) -> dict[tuple[str, ...], str]:
    return {(one["name"], *one["value"]): one["how"] for one in node.plugin(name)["grant"]}


def _mount(source: Path) -> dict[str, Any]:
    return {
        "name": "data",
        "source": str(source),
        "destination": "/mnt",
        "type": "bind",
        "options": ["bind"],
        "settable": ["source"],
    }


def _edit(node: Node, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change a record in the database of a node that is dead meanwhile."""
    node.kill(*PROCESSES)
    database = sqlite3.connect(node.root / "store" / "store.db")
    found = "SELECT record FROM plugins WHERE name = ?"
    record = json.loads(database.execute(found, (f"{name}:latest",)).fetchone()[0])
    edit(record)
    with database:
        write = "UPDATE plugins SET record = ? WHERE name = ?"
        database.execute(write, (json.dumps(record), f"{name}:latest"))
    database.close()
    node.up()


def test_f07_a_mount_that_the_cli_sets_is_granted_and_starts(
    node: Node, contexts: Contexts, tmp_path: Path
) -> None:
    """A settable source is set as in dockerd; the record says that set granted it."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    node.create("mounting", contexts.tar(mounts=[_mount(first)]))

    node.docker("plugin", "set", "mounting", f"data.source={second}")
    node.docker("plugin", "enable", "mounting")

    assert _grant(node, "mounting") == {
        ("mount", str(first)): "created",
        ("mount", str(second)): "set",
    }


def test_a_record_that_was_edited_starts_only_when_it_is_granted(
    node: Node, contexts: Contexts
) -> None:
    """What nobody consented to answers 403 and says what to do; doing so lets it start."""
    node.create("edited", contexts.tar())
    _edit(node, "edited", lambda record: record["config"].update(IpcHost=True))

    refused = node.http.post("/plugins/edited/enable?timeout=5")
    granted = node.http.post(
        "/wherry/v1/plugins/edited/grant",
        json={"privileges": [{"name": "host ipc namespace", "value": ["true"]}]},
    )

    assert refused.status_code == 403
    assert "asks for host ipc namespace true, which nobody granted" in refused.json()["message"]
    assert granted.json()["grant"][0]["how"] == "granted"
    node.docker("plugin", "enable", "edited")


def test_a_record_from_before_grants_keeps_what_it_had(node: Node, contexts: Contexts) -> None:
    """A plugin of an older Wherry starts, and from then on its record has a grant."""
    node.create("older", contexts.tar(network={"type": "host"}))
    _edit(node, "older", lambda record: record.pop("grant"))

    node.docker("plugin", "enable", "older")

    assert _grant(node, "older") == {("network", "host"): "kept"}


@pytest.mark.parametrize("path", ["", "/library/x"])
def test_a_grant_of_nothing_that_is_asked_for_is_refused(
    node: Node, contexts: Contexts, path: str
) -> None:
    """A grant names an existing plugin, and something it asks for."""
    node.create("modest", contexts.tar())
    body = {"privileges": [{"name": "mount", "value": ["/etc"]}]}

    answer = node.http.post(f"/wherry/v1/plugins/modest{path}/grant", json=body)

    assert answer.status_code == (404 if path else 400)


def test_the_error_of_an_upgrade_tells_what_is_new(
    node: Node, contexts: Contexts, hub: RegistryServer
) -> None:
    """The old version's privileges are not enough: client and job hear of the difference."""
    name = f"{hub.authority}/grants/plugin"
    publish(node, f"{name}:v2", contexts.tar(network={"type": "host"}, pidhost=True))
    publish(node, f"{name}:v1", contexts.tar(network={"type": "host"}))
    node.docker("plugin", "install", "--grant-all-permissions", "--disable", f"{name}:v1")

    target = {"remote": f"{name}:v2"}
    answer = node.http.post(f"/plugins/{name}:v1/upgrade", params=target, json=[_HOST])

    told = "incorrect privileges: the new version needs host pid namespace true as well"
    assert json.loads(answer.text.splitlines()[-1])["error"] == told
    error = node.get("/wherry/v1/jobs")["jobs"][0]["error"]
    assert error["message"] == told
    assert error["detail"]["added"] == [{"name": "host pid namespace", "value": ["true"]}]
    assert error["detail"]["dropped"] == []
