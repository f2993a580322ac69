"""What the audit is told of requests."""

from __future__ import annotations

from typing import cast

from shared import errdefs
from shared.contracts.audit import Phase, RequestAudited
from shared.contracts.store import EnablePlugin, SetPlugin
from tests.support.gateway import changed, plugin, reply
from tests.support.gateway_app import AppWorld


def _told(world: AppWorld) -> list[RequestAudited]:
    return [cast("RequestAudited", message) for message in world.publisher.published]


async def test_a_change_is_told_before_and_after(world: AppWorld) -> None:
    """First that it begins, by whom and of what, then with its status."""
    seen: list[int] = []

    def enable(_command: EnablePlugin) -> object:
        seen.append(len(world.publisher.published))
        return reply(changed(5, plugin("a", enabled=True)))

    world.sender.answers[EnablePlugin] = enable  # type: ignore[assignment]  # one kind of answer

    await world.client.post("/v1.51/plugins/a/enable?timeout=1&name=n&token=t")

    begun, ended = _told(world)
    assert seen == [1]
    assert (begun.phase, ended.phase, ended.status) == (Phase.BEGUN, Phase.ENDED, 200)
    assert begun.request_id == ended.request_id
    assert (begun.who, begun.method) == ("address 127.0.0.1", "POST")
    assert begun.path == "/v1.51/plugins/a/enable"
    assert begun.query == {"name": "n"}


async def test_bodies_are_not_told(world: AppWorld) -> None:
    """What somebody sets may be a secret."""
    world.sender.answers[SetPlugin] = errdefs.InvalidArgument("no such")

    await world.client.post("/plugins/a/set", json=["PASSWORD=s3cr3t"])

    assert "s3cr3t" not in "".join(one.model_dump_json() for one in _told(world))


async def test_reads_are_not_told(world: AppWorld) -> None:
    """Nobody asks who looked, but for the audit itself."""
    await world.get("/plugins")
    await world.get("/wherry/v1/plugins")

    assert _told(world) == []


async def test_nothing_is_changed_while_the_audit_can_not_be_told(world: AppWorld) -> None:
    """The request is refused, and its verb never sent; it may be tried again."""
    world.publisher.error = errdefs.Unavailable("the bus does not answer")

    answer = await world.client.post("/plugins/a/enable?timeout=1")

    assert answer.status_code == 503
    assert world.sender.sent == []


async def test_a_change_that_was_refused_is_told(world: AppWorld) -> None:
    """Who came to the door and was not let in is in the audit, too."""
    evil = {"Origin": "https://evil.example"}

    await world.client.post("/plugins/a/enable?timeout=1", headers=evil)

    (refused,) = _told(world)
    assert (refused.phase, refused.status, refused.who) == (Phase.REFUSED, 403, "nobody")


async def test_an_address_that_is_refused_often_does_not_fill_the_audit(world: AppWorld) -> None:
    """After some of its requests the others are only in the log."""
    evil = {"Origin": "https://evil.example"}
    for _ in range(100):
        await world.client.get("/info", headers=evil)

    assert len(_told(world)) < 70
