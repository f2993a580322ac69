"""How plugins are supervised, in /wherry/v1: restart policy, health check, requirements."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from services.gateway.service.replica import Replica
from services.gateway.service.verbs import Verbs
from shared.contracts.plugin import Plugin
from shared.contracts.supervision import (
    Health,
    Part,
    RestartPolicy,
    Supervised,
    Supervision,
    declared,
)


class RestartPolicyRequest(RestartPolicy):
    """Docker's restart policy: always, no or on-failure, that with a count or without."""

    model_config = ConfigDict(extra="forbid")  # a misspelt count must not be none


class HealthRequest(Health):
    """A health check: what is left out has its default."""

    model_config = ConfigDict(extra="forbid")


class RequiresRequest(BaseModel):
    """All that a plugin needs to be ready before it: names, or `capability=<capability>`."""

    model_config = ConfigDict(extra="forbid")

    requires: tuple[str, ...]


class Origin(StrEnum):
    """Whose word it is."""

    OPERATOR = "operator"
    AUTHOR = "author"
    DEFAULT = "default"


class SupervisionShown(BaseModel):
    """What holds of a plugin, and whose word each part is."""

    plugin: str
    restart_policy: RestartPolicy
    health: Health
    requires: tuple[str, ...]
    origins: dict[Part, Origin]

    @classmethod
    def of(cls, plugin: Plugin) -> Self:
        """Show the supervision of *plugin*."""
        author = declared(plugin.extension)
        return cls(
            plugin=plugin.name,
            **dict(Supervised.of(author, plugin.supervision)),
            origins={part: _origin(part, plugin.supervision, author) for part in Part},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionExtension:
    """The handlers, and what they need."""

    replica: Replica
    verbs: Verbs

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        router.get("/plugins/{name:path}/supervision")(self.show)
        router.put("/plugins/{name:path}/restart-policy")(self.set_restart_policy)
        router.delete("/plugins/{name:path}/restart-policy")(self.reset_restart_policy)
        router.put("/plugins/{name:path}/health")(self.set_health)
        router.delete("/plugins/{name:path}/health")(self.reset_health)
        router.put("/plugins/{name:path}/requires")(self.set_requires)
        router.delete("/plugins/{name:path}/requires")(self.reset_requires)

    async def show(self, name: str) -> SupervisionShown:
        """Show how a plugin is supervised, and whose word that is."""
        return SupervisionShown.of((await self.replica.ready()).resolve(name).plugin)

    async def set_restart_policy(self, name: str, wish: RestartPolicyRequest) -> SupervisionShown:
        """Say when a plugin that ended is started again; it holds at once."""
        policy = RestartPolicy(**wish.model_dump())
        return await self._set(name, Supervision(restart_policy=policy))

    async def reset_restart_policy(self, name: str) -> SupervisionShown:
        """Let the author's restart policy count again."""
        return await self._reset(name, Part.RESTART_POLICY)

    async def set_health(self, name: str, wish: HealthRequest) -> SupervisionShown:
        """Say how a plugin is asked whether it still works; it holds at once."""
        return await self._set(name, Supervision(health=Health(**wish.model_dump())))

    async def reset_health(self, name: str) -> SupervisionShown:
        """Let the author's health check count again."""
        return await self._reset(name, Part.HEALTH)

    async def set_requires(self, name: str, wish: RequiresRequest) -> SupervisionShown:
        """Say what a plugin needs to be ready before it."""
        return await self._set(name, Supervision(requires=wish.requires))

    async def reset_requires(self, name: str) -> SupervisionShown:
        """Let the author's requirements count again."""
        return await self._reset(name, Part.REQUIRES)

    async def _set(self, name: str, supervision: Supervision) -> SupervisionShown:
        return SupervisionShown.of(await self.verbs.supervise(name, supervision))

    async def _reset(self, name: str, part: Part) -> SupervisionShown:
        plugin = await self.verbs.supervise(name, Supervision(), reset=(part,))
        return SupervisionShown.of(plugin)


def _origin(part: Part, operator: Supervision, author: Supervision) -> Origin:
    if getattr(operator, part) is not None:
        return Origin.OPERATOR
    return Origin.DEFAULT if getattr(author, part) is None else Origin.AUTHOR
