"""ports.Engine: Docker's own API at the gateway's socket."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from services.cli.adapters.unix_http import UnixConnection
from services.cli.domain.login import Login
from shared import errdefs

_FAILURES: Final = (OSError, http.client.HTTPException, ValueError)
_ANSWER_LIMIT_S: Final = 70.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixEngine:
    """The gateway at its unix socket."""

    socket: Path

    def get(self, path: str, **query: str) -> Any:
        """Return what a route shows."""
        return self._ask("GET", path, query, None, Login())

    def post(self, path: str, body: Mapping[str, Any], login: Login, **query: str) -> Any:
        """Send a wish; return the answer, None for an empty one."""
        return self._ask("POST", path, query, body, login)

    def delete(self, path: str, **query: str) -> None:
        """Have something deleted."""
        self._ask("DELETE", path, query, None, Login())

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        login: Login,
    ) -> Any:
        headers = {"X-Registry-Auth": login.header} if login.fields else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        target = f"{quote(path)}?{urlencode(query)}" if query else quote(path)
        connection = UnixConnection(self.socket, _ANSWER_LIMIT_S)
        try:
            with contextlib.closing(connection):
                sent = None if body is None else json.dumps(body)
                connection.request(method, target, body=sent, headers=headers)
                with connection.getresponse() as response:
                    return _read(response)
        except _FAILURES as error:
            raise errdefs.Unavailable(
                f"the gateway does not answer on {self.socket}: {error}; `wherry status` says more"
            ) from error


def _read(response: http.client.HTTPResponse) -> Any:
    text = response.read()
    if response.status >= 300:
        raise errdefs.Error(str(json.loads(text)["message"]))
    return json.loads(text) if text else None
