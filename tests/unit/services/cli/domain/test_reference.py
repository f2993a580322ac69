"""What a person is told about who holds a plugin."""

from __future__ import annotations

import json

from services.cli.domain.reference import References

_S = 10**9
_LEASE = {
    "plugin_id": "a" * 64,
    "owner": "volume/data1",
    "capability": "volumedriver",
    "since_ns": 100 * _S,
    "ttl_s": 60,
    "until_ns": 260 * _S,
}


def test_references_are_a_table() -> None:
    """Each lease is a line with its owner, how long it is held, and when it ends."""
    longer = {**_LEASE, "owner": "user/Ann's backup", "until_ns": 4000 * _S}
    found = References.from_json({"plugin": "p:latest", "references": [longer, _LEASE]})

    assert found.to_text(now_ns=200 * _S).split("\n") == [
        "OWNER              CAPABILITY    HELD   ENDS IN",
        "user/Ann's backup  volumedriver  1m40s  1h3m",
        "volume/data1       volumedriver  1m40s  1m0s",
    ]


def test_references_are_json_for_programs() -> None:
    """A program reads owners and times in nanoseconds."""
    found = References.from_json({"plugin": "p:latest", "references": [_LEASE]})

    assert json.loads(found.to_json()) == [
        {key: _LEASE[key] for key in ("owner", "capability", "since_ns", "until_ns")}
    ]


def test_nobody_is_said() -> None:
    """A plugin that nobody holds is a line, not a table without rows."""
    found = References.from_json({"plugin": "p:latest", "references": []})

    assert found.to_text(now_ns=0) == "nobody holds plugin p:latest"
    assert found.to_json() == "[]"
