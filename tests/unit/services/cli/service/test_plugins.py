"""Jobs that the command line begins: with what login, and granted what."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from services.cli.domain.login import Login
from services.cli.domain.plugin import Privilege
from services.cli.service.granting import Granting
from services.cli.service.plugins import PluginJobs
from shared import errdefs
from tests.support.cli_jobs import FakeApi

_NETWORK = Privilege(name="network", description="d", value=("host",))
_GRANTED = [{"name": "network", "description": "d", "value": ("host",)}]


@dataclass
class _Logins:
    asked: list[str] = field(default_factory=list)

    def find(self, domain: str) -> Login:
        self.asked.append(domain)
        return Login(fields={"auth": domain}, note=f"note about {domain}")


@dataclass
class _World:
    api: FakeApi
    logins: _Logins = field(default_factory=_Logins)
    warned: list[str] = field(default_factory=list)
    consents: bool = True
    consented: list[tuple[str, tuple[Privilege, ...]]] = field(default_factory=list)

    def jobs(self) -> PluginJobs:
        granting = Granting(
            api=self.api, logins=self.logins, consent=self._consent, warn=self.warned.append
        )
        return PluginJobs(api=self.api, granting=granting)

    def _consent(self, remote: str, needed: tuple[Privilege, ...]) -> bool:
        self.consented.append((remote, needed))
        return self.consents


def test_pull() -> None:
    """A pull grants what was asked for, with the login of the remote's registry."""
    world = _World(FakeApi(needed=(_NETWORK,)))
    world.jobs().pull("host:5000/p", name="alias")()
    ((verb, body, login),) = world.api.begun
    assert verb == "pull"
    assert body == {"remote": "host:5000/p", "name": "alias", "privileges": _GRANTED}
    assert login.fields == {"auth": "host:5000"}
    assert world.api.asked == [("host:5000/p", login)]
    assert world.consented == [("host:5000/p", (_NETWORK,))]
    assert world.warned == ["note about host:5000"]


def test_nothing_needed_nothing_asked() -> None:
    """A plugin that needs nothing is granted nothing, without a question."""
    world = _World(FakeApi())
    world.jobs().pull("p", name="")()
    assert not world.consented
    assert world.api.begun[0][1]["privileges"] == []
    assert world.logins.asked == ["docker.io"]


def test_no_consent() -> None:
    """Who does not grant gets no job."""
    world = _World(FakeApi(needed=(_NETWORK,)), consents=False)
    with pytest.raises(errdefs.PermissionDenied, match="nothing was changed"):
        world.jobs().pull("p", name="")
    assert not world.api.begun


def test_push() -> None:
    """A push goes to the registry of the plugin's name, whatever it was called by."""
    world = _World(FakeApi())
    world.jobs().push("p")()
    ((verb, body, login),) = world.api.begun
    assert (verb, body) == ("push", {"name": "host:5000/p:v1"})
    assert login.fields == {"auth": "host:5000"}


@pytest.mark.parametrize(("remote", "expected"), [("", "other:5000/p:v1"), ("new:1/q", "new:1/q")])
def test_upgrade(remote: str, expected: str) -> None:
    """An upgrade goes to where the plugin came from, unless something else is named."""
    world = _World(FakeApi(needed=(_NETWORK,)))
    world.jobs().upgrade("p", remote=remote)()
    ((verb, body, login),) = world.api.begun
    assert verb == "upgrade"
    assert body == {"name": "host:5000/p:v1", "remote": expected, "privileges": _GRANTED}
    assert login.fields == {"auth": expected.partition("/")[0]}


def test_upgrade_says_how() -> None:
    """What becomes of an enabled plugin goes along with the wish."""
    world = _World(FakeApi())
    world.jobs().upgrade("p", remote="", strategy="start-first", monitor_s=5.0)()
    body = world.api.begun[0][1]
    assert (body["strategy"], body["monitor_s"]) == ("start-first", 5.0)


def test_wrong_remote() -> None:
    """What is no reference is refused before anybody is asked."""
    world = _World(FakeApi())
    with pytest.raises(errdefs.InvalidArgument):
        world.jobs().pull("UPPER", name="")
    assert not world.api.asked
