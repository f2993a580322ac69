"""`wherry node` and `wherry service`: what spans nodes, through Docker's own routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.cli.domain import node, plugin_service
from services.cli.domain.login import Login
from services.cli.domain.plugin_service import ServiceWish
from services.cli.ports import Engine
from services.cli.service.granting import Granting

_PLUGINS = json.dumps({"runtime": ["plugin"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Asks the node, which asks the active controller; all raise what is answered."""

    engine: Engine
    granting: Granting
    warn: Callable[[str], None]

    def nodes(self) -> list[dict[str, Any]]:
        """Return all nodes."""
        return list(self.engine.get("/nodes"))

    def node(self, name: str) -> dict[str, Any]:
        """Return a node by name, id or the beginning of its id."""
        return dict(self.engine.get(f"/nodes/{name}"))

    def update_node(
        self,
        name: str,
        *,
        added: Sequence[str] = (),
        removed: Sequence[str] = (),
        availability: str = "",
    ) -> None:
        """Set labels or the availability of a node."""
        shown = self.node(name)
        spec = node.changed(shown["Spec"], added=added, removed=removed, availability=availability)
        self.engine.post(f"/nodes/{shown['ID']}/update", spec, Login(), version=_version(shown))

    def remove_node(self, name: str, *, force: bool) -> None:
        """Have a node forgotten."""
        self.engine.delete(f"/nodes/{name}", force=str(force).lower())

    def services(self) -> list[dict[str, Any]]:
        """Return all services of plugins, with their counts."""
        return list(self.engine.get("/services", filters=_PLUGINS, status="true"))

    def service(self, name: str) -> dict[str, Any]:
        """Return a service."""
        return dict(self.engine.get(f"/services/{name}"))

    def tasks(self, name: str) -> list[dict[str, Any]]:
        """Return a service's tasks."""
        wanted = json.dumps({"service": [self.service(name)["ID"]]})
        return list(self.engine.get("/tasks", filters=wanted))

    def create(self, name: str, wish: ServiceWish) -> str:
        """Create a service, once its plugin was granted what it needs; return its id."""
        login = self.granting.login(wish.remote)
        granted = replace(wish, privileges=self.granting.grant(wish.remote, login))
        answer = self.engine.post("/services/create", plugin_service.made(name, granted), login)
        for warning in answer.get("Warnings") or ():
            self.warn(warning)
        return str(answer["ID"])

    def update(self, name: str, wish: ServiceWish) -> None:
        """Change a service; a new version is granted what it needs first."""
        shown = self.service(name)
        login = Login()
        if wish.remote:
            login = self.granting.login(wish.remote)
            wish = replace(wish, privileges=self.granting.grant(wish.remote, login))
        spec = plugin_service.changed(shown["Spec"], wish)
        self.engine.post(f"/services/{shown['ID']}/update", spec, login, version=_version(shown))

    def roll_back(self, name: str) -> None:
        """Give a service its previous spec."""
        shown = self.service(name)
        path = f"/services/{shown['ID']}/update"
        version = _version(shown)
        self.engine.post(path, shown["Spec"], Login(), version=version, rollback="previous")

    def remove(self, name: str) -> None:
        """Remove a service with its plugins."""
        self.engine.delete(f"/services/{name}")


def _version(shown: dict[str, Any]) -> str:
    return str(shown["Version"]["Index"])
