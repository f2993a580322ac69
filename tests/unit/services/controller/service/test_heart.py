"""What a node says of itself, and when."""

from __future__ import annotations

import asyncio
import contextlib

from services.controller.service.heart import Heart
from shared.contracts.node import Heartbeat, NodeDescription
from tests.support.controller import ControllerWorld
from tests.support.wait import eventually


async def test_a_key_that_is_made_after_the_first_beat_is_told_at_once() -> None:
    """Nobody has to wait for the next beat to seal a login to a node that has just started."""
    key = ""
    async with ControllerWorld("a") as world:
        heart = Heart(
            fleet=world.fleet,
            leadership=world.controller.leadership,
            node="a",
            version="1",
            seal_key=lambda: key,
            description=NodeDescription(),
            timeout_s=3600.0,
        )
        beating = asyncio.create_task(heart.run())

        def told() -> list[str]:
            return [node.seal_key for node in world.controller.nodes.all()]

        try:
            await eventually(lambda: len(_beats(world)) == 1)
            await eventually(lambda: told() == [""])
            key = "k"
            await eventually(lambda: told() == ["k"])
            assert len(_beats(world)) == 2
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


def _beats(world: ControllerWorld) -> list[Heartbeat]:
    return [said for _, said in world.fleet.sent if isinstance(said, Heartbeat)]
