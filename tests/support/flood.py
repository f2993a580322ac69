"""A client that does not wait for answers: `python -m tests.support.flood SOCKET ROUNDS WIDTH`.

In each round it sends WIDTH requests to create a volume, each over a connection of its own, before
it reads an answer. At the end it prints, as JSON, what was answered for each volume.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from pathlib import Path

_LIMIT_S = 120.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=_LIMIT_S)
        self._path = str(path)

    def connect(self) -> None:
        """Connect to the unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_LIMIT_S)
        self.sock.connect(self._path)


def flood(path: Path, rounds: int, width: int) -> dict[str, tuple[int, str | None, str]]:
    """Return status, Retry-After and body of the answer for each volume."""
    connections = [_Connection(path) for _ in range(width)]
    answers: dict[str, tuple[int, str | None, str]] = {}
    for number in range(rounds):
        names = [f"flood-{number}-{at}" for at in range(width)]
        for name, connection in zip(names, connections, strict=True):
            body = json.dumps({"Name": name})
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/volumes/create", body, headers)
        for name, connection in zip(names, connections, strict=True):
            answer = connection.getresponse()
            said = answer.read().decode()
            answers[name] = (answer.status, answer.getheader("Retry-After"), said)
    return answers


if __name__ == "__main__":
    print(json.dumps(flood(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201 - its output
