"""A client that floods a node, beside one that waits for its answers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.chaos.conftest import StartNode
from tests.support.node import Node
from tests.support.plugin_context import Contexts

_CODE = Path(__file__).parents[2]
_ROUNDS, _WIDTH = 4, 100
#: A change takes some milliseconds, and one in front of it as long; the machine may be slow.
_BOUND_S = 15.0


def test_a_flood_holds_nobody_up(start_node: StartNode, contexts: Contexts, tmp_path: Path) -> None:
    """Who waits for its answers gets them all, soon; the flood's own are done, or refused whole."""
    node = start_node(WHERRY_CHANGES_IN_HAND="8", WHERRY_CHANGES_WAITING="16")
    node.create("p", contexts.tar(env=[{"name": "N", "settable": ["value"], "value": "0"}]))

    said = tmp_path / "said"
    with _flood(node, said) as flood:
        took_s = _honest(node, flood)

    assert flood.returncode == 0
    assert len(took_s) > 1
    assert max(took_s) < _BOUND_S
    assert node.get("/plugins/p/json")["Settings"]["Env"] == [f"N={len(took_s)}"]
    answers = {name: tuple(answer) for name, answer in json.loads(said.read_text()).items()}
    assert {status for status, _, _ in answers.values()} == {201, 429}
    done = {name for name, (status, _, _) in answers.items() if status == 201}
    assert set(node.volumes()) == done
    for status, retry_after, body in answers.values():
        if status == 429:
            assert retry_after is not None
            assert 1 <= int(retry_after) <= 60
            assert f"process {flood.pid}, has" in json.loads(body)["message"]
    assert _metric(node, "wherry_changes_in_hand") == 0
    assert _metric(node, "wherry_changes_waiting") == 0
    assert _metric(node, "wherry_changes_refused_total") == len(answers) - len(done)


def _flood(node: Node, said: Path) -> subprocess.Popen[bytes]:
    arguments = (str(node.socket), str(_ROUNDS), str(_WIDTH))
    with said.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.flood", *arguments], cwd=_CODE, stdout=out
        )


def _honest(node: Node, flood: subprocess.Popen[bytes]) -> list[float]:
    """Change a setting again and again until the flood is over; return how long each took."""
    took_s: list[float] = []
    while flood.poll() is None:
        began = time.monotonic()
        answer = node.http.post("/plugins/p/set", json=[f"N={len(took_s) + 1}"])
        took_s.append(time.monotonic() - began)
        assert answer.status_code == 204, answer.text
    return took_s


def _metric(node: Node, name: str) -> float:
    """Return a metric of the gateway's, all its samples together."""
    lines = node.http.get("/wherry/v1/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))
