"""All that is known of one plugin, as a person reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.cli.domain.plugin_status import PluginStatus
from services.cli.domain.reference import Reference, References

_S = 10**9
_STATUS: dict[str, Any] = {
    "state": "stopped",
    "container_id": None,
    "pid": None,
    "socket_dir": None,
    "started_at_ns": None,
    "starts": 3,
    "restarts": 2,
    "restart_at_ns": None,
    "degraded": False,
    "health": "none",
    "last_exit": None,
    "message": "",
}
_RECORD: dict[str, Any] = {
    "plugin_id": "a" * 64,
    "name": "p:v1",
    "reference": "host/p:v1",
    "enabled": True,
    "manifest_digest": "sha256:aa",
    "config_digest": "sha256:bb",
    "layer_digests": ["sha256:cc"],
    "created_at_ns": 0,
    "signers": [],
    "grant": [{"name": "network", "value": ["host"], "how": "pulled"}],
    "resources": {"memory_bytes": 7, "cpus": None, "pids": None},
    "status": _STATUS,
}


def _shown(*references: Reference, lines: tuple[str, ...] = (), **status: Any) -> PluginStatus:
    return PluginStatus(
        record={**_RECORD, "status": {**_STATUS, **status}},
        references=References(plugin="p:v1", references=references),
        last_lines=lines,
    )


def _rows(status: PluginStatus, now_s: int = 100) -> dict[str, str]:
    table = status.to_text(now_s * _S).partition("\n\n")[0].splitlines()
    return {line[:10].strip(): line[10:].strip() for line in table}


def test_running() -> None:
    """A plugin that runs has its process, and how long it has been there."""
    rows = _rows(
        _shown(state="running", pid=7, container_id="c-3", socket_dir="/s", started_at_ns=40 * _S)
    )
    assert rows["state"] == "running for 1m0s"
    assert rows["process"] == "7, container c-3"
    assert rows["granted"] == "network host (pulled)"
    assert rows["limits"] == "memory_bytes 7"
    assert rows["signed by"] == "nobody"


@pytest.mark.parametrize(
    ("name", "shown"), [("robin", f"robin, key {'ab' * 6}"), ("", f"key {'ab' * 32}")]
)
def test_who_signed(name: str, shown: str) -> None:
    """A signer has its name, and the beginning of its key as the pull told it."""
    signed = {"signers": [{"key": f"sha256:{'ab' * 32}", "name": name}]}
    status = PluginStatus(
        record={**_RECORD, **signed},
        references=References(plugin="p:v1", references=()),
        last_lines=(),
    )
    assert _rows(status)["signed by"] == shown


def test_waiting_for_its_next_start() -> None:
    """A crash loop is told: when the next start is due, how the last run ended, and how often."""
    ended = {"exit_code": 3, "oom_killed": False, "exited_at_ns": 90 * _S}
    shown = _shown(state="restarting", restart_at_ns=102 * _S, last_exit=ended, message="why")
    rows = _rows(shown)
    assert rows["state"] == "restarting, next start in 2.0 s"
    assert (rows["because"], rows["last exit"]) == ("why", "code 3, 10s ago")
    assert rows["starts"] == "3, 2 of the last did not last"
    assert _rows(shown, 103)["state"] == "restarting, start is due"


def test_how_it_ended() -> None:
    """What nobody could record is unknown; the kernel's kill is told."""
    killed = {"exit_code": 137, "oom_killed": True, "exited_at_ns": 0}
    unknown = {"exit_code": None, "oom_killed": False, "exited_at_ns": 0}
    assert "out of memory" in _rows(_shown(last_exit=killed))["last exit"]
    assert "code unknown" in _rows(_shown(last_exit=unknown))["last exit"]


def test_holders_and_output() -> None:
    """Who holds it, and what it wrote last, follow the table; programs get the same."""
    held = Reference(owner="volume/v", capability="volumedriver", since_ns=0, until_ns=200 * _S)
    status = _shown(held, lines=("bye",), degraded=True)
    text = status.to_text(100 * _S)
    assert "volume/v" in text
    assert text.endswith("last output:\n  bye")
    assert _rows(status)["health"] == "not checked; degraded: its supervisor died"
    told = json.loads(status.to_json())
    assert (told["references"][0]["owner"], told["last_lines"]) == ("volume/v", ["bye"])
