"""The plugin routes of the Docker Engine API, over a unix socket, without a CLI between."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.failure import BenchFailed

_TIMEOUT_S = 300.0


class Api:
    """One connection that is kept open; not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = _UnixConnection(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._connection.close()

    def is_served(self) -> bool:
        """Tell whether the API answers."""
        try:
            self.request("GET", "/_ping")
        except BenchFailed:
            self.close()
            return False
        return True

    def version(self) -> dict[str, Any]:
        """Return what is known of the engine."""
        return dict(json.loads(self.request("GET", "/version")))

    def create(self, name: str, context: bytes) -> None:
        """Create a plugin from a tar."""
        path = f"/plugins/create?{_query(name=name)}"
        self.request("POST", path, context, "application/x-tar")

    def enable(self, name: str) -> None:
        """Enable a plugin."""
        self.request("POST", f"/plugins/{name}/enable?timeout=30")

    def disable(self, name: str) -> None:
        """Disable a plugin."""
        self.request("POST", f"/plugins/{name}/disable")

    def set(self, name: str, *settings: str) -> None:
        """Change settings of a disabled plugin."""
        body = json.dumps(settings).encode()
        self.request("POST", f"/plugins/{name}/set", body, "application/json")

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a plugin."""
        self.request("DELETE", f"/plugins/{name}?force={int(force)}")

    def privileges(self, remote: str) -> bytes:
        """Return what a plugin at a registry asks for, as JSON."""
        return self.request("GET", f"/plugins/privileges?{_query(remote=remote)}")

    def pull(self, remote: str, name: str, privileges: bytes) -> None:
        """Pull a plugin, of which nothing may be here yet."""
        query = _query(remote=remote, name=name)
        told = self._told(f"/plugins/pull?{query}", privileges)
        if b"Already exists" in told:
            raise BenchFailed(f"pull of {remote} at {self._path} found some of it: {told[:1000]!r}")

    def upgrade(self, name: str, remote: str, privileges: bytes) -> None:
        """Upgrade a disabled plugin."""
        self._told(f"/plugins/{name}/upgrade?{_query(remote=remote)}", privileges)

    def push(self, name: str) -> None:
        """Push a plugin to where its name says."""
        self._told(f"/plugins/{name}/push")

    def _told(self, path: str, body: bytes = b"") -> bytes:
        """Post and return the lines that are told; raises BenchFailed where one is an error."""
        told = self.request("POST", path, body, "application/json" if body else "")
        if b'"errorDetail"' in told:
            raise BenchFailed(f"POST {path} at {self._path}: {told.splitlines()[-1]!r}")
        return told

    def names(self) -> list[str]:
        """Return the names of all plugins."""
        return [plugin["Name"] for plugin in json.loads(self.request("GET", "/plugins"))]

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        """Send a request and return the body of its answer; raises BenchFailed on an error."""
        headers = {"Content-Type": kind} if kind else {}
        try:
            self._connection.request(method, path, body or None, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchFailed(f"{method} {path} at {self._path}: {error!r}") from error
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            said = content.decode(errors="replace").strip()
            raise BenchFailed(f"{method} {path} at {self._path}: {answer.status} {said}")
        return content


def _query(**values: str) -> str:
    return urllib.parse.urlencode(values)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(str(self._path))
