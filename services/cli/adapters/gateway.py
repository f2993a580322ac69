"""The gateway's /wherry/v1, spoken over its unix socket."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.domain.health import NodeHealth
from shared import errdefs

#: The gateway gives each service two seconds to tell.
_ANSWER_LIMIT_S = 10.0
#: Longer than the gateway itself waits for the plugins' ends.
_SHUT_DOWN_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixGateway:
    """ports.Gateway."""

    socket: Path

    def health(self) -> NodeHealth | None:
        """Return how the node is; None when nobody answers."""
        with contextlib.suppress(*_failures()):
            status, answer = self._ask("GET", "/wherry/v1/health", _ANSWER_LIMIT_S)
            if status in {200, 503} and "services" in answer:
                return NodeHealth.from_json(answer)
        return None

    def count_plugins(self) -> Mapping[str, int] | None:
        """Return how many plugins are in which state; None when nobody can tell."""
        with contextlib.suppress(*_failures()):
            status, answer = self._ask("GET", "/wherry/v1/plugins", _ANSWER_LIMIT_S)
            if status == 200:
                return Counter(plugin["status"]["state"] for plugin in answer["plugins"])
        return None

    def shut_down(self) -> None:
        """Stop all plugins, still wanted; raises what the node answers, or Unavailable."""
        try:
            status, answer = self._ask("POST", "/wherry/v1/node/shutdown", _SHUT_DOWN_LIMIT_S)
        except _failures() as error:
            raise errdefs.Unavailable(
                f"the gateway does not answer on {self.socket}: {error}"
            ) from error
        if status >= 300:
            raise errdefs.from_wire(answer)

    def _ask(self, method: str, path: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
        # Late, as below: `wherry up` starts the parent first, which has more to import.
        from services.cli.adapters.unix_http import UnixConnection

        connection = UnixConnection(self.socket, timeout_s)
        with contextlib.closing(connection):
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        return response.status, json.loads(body) if body else {}


def _failures() -> tuple[type[Exception], ...]:
    """Return what is raised where nobody listens, somebody did, or no gateway answers."""
    from http.client import HTTPException

    return OSError, HTTPException, ValueError
