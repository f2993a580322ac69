"""The authorization plugins: each request is asked of all of them, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from services.gateway import ports
from services.gateway.domain.authorization import Question
from services.gateway.domain.inventory import Inventory
from services.gateway.service.replica import Replica
from shared import errdefs
from shared.contracts.plugin import PluginState
from shared.contracts.reference import provides
from shared.plugin_rpc.lookup import Found, Lookup

CAPABILITY: Final = "authz"
_BEFORE: Final = "AuthZPlugin.AuthZReq"
_AFTER: Final = "AuthZPlugin.AuthZRes"
#: Of what can't be asked, these are told as they are; the rest is the node's own fault.
_PASSING: Final = ("unavailable", "deadline_exceeded")

_STARTING: Final = (PluginState.STARTING, PluginState.RESTARTING)
#: A plugin that ended is started again at once; a request waits for that.
_RESTART_LIMIT_S: Final = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A plugin that must agree, and why it can't be asked, if it can't."""

    name: str
    found: Found | None = None
    problem: errdefs.Error | None = None


class Authorization:
    """The chain: names in order, each asked once.

    A plugin that can't be asked allows nothing. One that was disabled while it was in force, which
    it was asked about itself, is left out until it is enabled again.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        replica: Replica,
        lookup: Lookup,
        left_out: ports.LeftOut,
        limit_s: float,
    ) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._replica = replica
        self._lookup = lookup
        self._left_out = left_out
        self._limit_s = limit_s
        self._wait_s = min(limit_s, _RESTART_LIMIT_S)
        #: Names that were found enabled, by this process.
        self._in_force: set[str] = set()
        #: Names of legacy plugins that were asked: no managed plugin takes their place.
        self._legacy: set[str] = set()

    async def before(self, question: Question) -> tuple[str, ...]:
        """Ask whether a request may be served; return the plugins that agreed.

        Raises PermissionDenied when one denies, and another error when one can't be asked.
        """
        members = await self._members()
        for member in members:
            await self._ask(member, _BEFORE, question)
        return tuple(member.name for member in members)

    async def after(self, question: Question, asked: Sequence[str]) -> None:
        """Ask those who agreed before, and are still in force, whether the answer may be sent."""
        for member in await self._members():
            if member.name in asked:
                await self._ask(member, _AFTER, question)

    async def problems(self) -> tuple[str, ...]:
        """Return why requests are refused whatever they are: plugins that can't be asked."""
        try:
            members = await self._members()
        except errdefs.Error as error:
            return (error.message,)
        return tuple(problem for member in members if (problem := _problem(member)))

    async def _members(self) -> list[_Member]:
        await self._replica.ready()
        found = [await self._member(name) for name in self._names if self._is_in_force(name)]
        return list({member.name: member for member in found}.values())

    def _is_in_force(self, name: str) -> bool:
        if name in self._legacy:
            return True
        try:
            plugin = self._replica.inventory.resolve(name).plugin
        except errdefs.Error:
            return not self._left_out.has(name)
        if plugin.enabled:
            if provides(plugin, CAPABILITY):
                self._in_force.add(name)
            self._left_out.drop(name)
        elif name in self._in_force:
            log.warning("authorization plugin left out while it is disabled", plugin=name)
            self._in_force.discard(name)
            self._left_out.add(name)
        return not self._left_out.has(name)

    async def _member(self, name: str) -> _Member:
        if _is_starting(self._replica.inventory, name):
            await self._replica.until(lambda now: not _is_starting(now, name), self._wait_s)
        get = self._lookup.get_legacy if name in self._legacy else self._lookup.get
        try:
            found = await get(name, CAPABILITY, patience_s=0)
        except errdefs.Error as error:
            return _Member(name=name, problem=_explained(error))
        if found.plugin is None:
            self._legacy.add(name)
        return _Member(name=found.name, found=found)

    async def _ask(self, member: _Member, method: str, question: Question) -> None:
        try:
            verdict = await self._call(member, method, question)
        except errdefs.Error as error:
            raise _failed(member.name, error) from error
        if verdict.get("Allow") is not True:
            raise errdefs.PermissionDenied(
                f"authorization denied by plugin {member.name}: {verdict.get('Msg', '')}",
                detail={"plugin": member.name},
            )

    async def _call(self, member: _Member, method: str, question: Question) -> dict[str, Any]:
        if member.found is None:
            assert member.problem is not None
            raise member.problem
        verdict = await member.found.client.call(
            method, question.to_json(), deadline_s=self._limit_s
        )
        if error := verdict.get("Err", ""):
            raise errdefs.Internal(f"{method}: {error}")
        return verdict


def _is_starting(inventory: Inventory, name: str) -> bool:
    try:
        plugin = inventory.resolve(name).plugin
    except errdefs.Error:
        return False
    return plugin.enabled and plugin.status.state in _STARTING


def _failed(name: str, error: errdefs.Error) -> errdefs.Error:
    told = {
        "code": error.code if error.code in _PASSING else errdefs.Internal.code,
        "message": f"plugin {name} failed with error: {error.message}",
        "detail": {"plugin": name},
        "docker_unclassed": True,
    }
    return errdefs.from_wire(told)


def _explained(error: errdefs.Error) -> errdefs.Error:
    advice = (
        "until it can be asked the node allows nothing; make it so, or start the node without it "
        "in WHERRY_AUTHORIZATION_PLUGINS"
    )
    return errdefs.from_wire(error.to_wire() | {"message": f"{error.message}: {advice}"})


def _problem(member: _Member) -> str:
    if member.found is None:
        assert member.problem is not None
        return f"{member.name}: {member.problem.message}"
    wait_s = member.found.client.retry_in_s
    if wait_s is None:
        return ""
    return f"{member.name}: does not answer, and is tried again in {wait_s:.1f} s"
