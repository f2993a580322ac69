"""What tests say to a node through its API, and what they read there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx


class NodeApi:
    """Docker's API and /wherry/v1 of one node; what a method asks for must succeed."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.http = self.client()

    def client(self) -> httpx.Client:
        """Return a client of the API."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(transport=transport, base_url="http://docker", timeout=60)

    def get(self, path: str, **params: str) -> Any:
        """Return the JSON at a path, which must be there."""
        response = self.http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def plugin(self, name: str) -> dict[str, Any]:
        """Return all that is known of a plugin."""
        return dict(self.get(f"/wherry/v1/plugins/{name}"))

    def status(self, name: str) -> dict[str, Any]:
        """Return what is observed of a plugin."""
        return dict(self.plugin(name)["status"])

    def create(self, name: str, context: bytes) -> None:
        """Create a plugin of a tar."""
        response = self.http.post("/plugins/create", params={"name": name}, content=context)
        assert response.status_code == 204, response.text

    def enable(self, name: str) -> dict[str, Any]:
        """Enable a plugin and return what is observed of it then."""
        response = self.http.post(f"/plugins/{name}/enable", params={"timeout": "20"})
        assert response.status_code == 200, response.text
        return self.status(name)

    def disable(self, name: str) -> None:
        """Disable a plugin."""
        response = self.http.post(f"/plugins/{name}/disable")
        assert response.status_code == 200, response.text

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a plugin."""
        response = self.http.delete(f"/plugins/{name}", params={"force": "1" if force else ""})
        assert response.status_code == 200, response.text

    def mount(self, volume: str, owner: str) -> Path:
        """Mount a volume for an owner and return where the host sees it."""
        response = self.http.post(f"/wherry/v1/volumes/{volume}/mounts", json={"owner": owner})
        assert response.status_code == 200, response.text
        return Path(response.json()["mountpoint"])

    def unmount(self, volume: str, owner: str) -> None:
        """End an owner's mount."""
        response = self.http.delete(f"/wherry/v1/volumes/{volume}/mounts/{owner}")
        assert response.status_code == 204, response.text

    def owners(self, plugin: str) -> list[str]:
        """Return who holds a plugin."""
        listed = self.get(f"/wherry/v1/plugins/{plugin}/references")["references"]
        return [reference["owner"] for reference in listed]

    def volumes(self) -> list[str]:
        """Return the names of all volumes."""
        return [volume["Name"] for volume in self.get("/volumes")["Volumes"]]

    def remove_volume(self, name: str, *, force: bool = False) -> None:
        """Remove a volume."""
        response = self.http.delete(f"/volumes/{name}", params={"force": "1" if force else ""})
        assert response.status_code == 204, response.text

    def remove_all(self) -> None:
        """Remove all plugins and volumes; a plugin that is gone refuses no volume's removal."""
        for plugin in self.get("/plugins"):
            self.remove(plugin["Id"], force=True)
        for name in self.volumes():
            self.remove_volume(name, force=True)

    def feed(self) -> list[dict[str, Any]]:
        """Return all events of the node up to now; their numbers must be dense."""
        text = self.http.get("/wherry/v1/events", params={"after": "0", "until": _now()}).text
        feed = [json.loads(line) for line in text.splitlines()]
        assert [event["seq"] for event in feed] == list(range(1, len(feed) + 1))
        return feed

    def told(self, name: str) -> list[str]:
        """Return what happened to the plugins of a name, as the feed has it."""
        return [e["action"] for e in self.feed() if e["attributes"].get("name") == name]


def _now() -> str:
    return f"{time.time():.9f}"
