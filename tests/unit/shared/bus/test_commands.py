"""What is told of commands that were handled."""

from __future__ import annotations

import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import errdefs
from shared.bus import names
from shared.bus.commands import CommandTable
from shared.bus.envelope import Entry
from shared.bus.pending import Claimed
from shared.bus.ports import CommandHandler, Delivery
from shared.bus.settle import Outcome, Settlement
from shared.contracts.health import CheckHealth
from shared.contracts.message import Command, Done
from shared.contracts.store import GetInventory
from tests.support.buses import Answer


async def handled(model: type[Command[Any]], handler: CommandHandler) -> Settlement:
    """Return how a command ends that has no fields."""
    table = CommandTable(
        {model: handler},
        service="s",
        stream=names.commands("n", "s"),
        delivery_cap=3,
        clock_ns=time.time_ns,
    )
    fields = {b"id": b"m", b"type": model.TYPE.encode(), b"body": b"{}"}
    return await table.handle(Claimed(entry=Entry(stream_id="1-0", fields=fields), attempt=1))


async def levels(model: type[Command[Any]], error: errdefs.Error | None = None) -> list[str]:
    """Handle a command that succeeds, or fails so, and return the levels of its lines."""

    async def handle(_command: Command[Any], _delivery: Delivery) -> Done:
        if error is not None:
            raise error
        return Done()

    with capture_logs() as lines:
        await handled(model, handle)
    return [line["log_level"] for line in lines if line["event"] == "command"]


@pytest.mark.parametrize(("model", "level"), [(GetInventory, "info"), (CheckHealth, "debug")])
async def test_a_command_is_told(model: type[Command[Any]], level: str) -> None:
    """What services send again and again by themselves is told to who asks for it only."""
    assert await levels(model) == [level]


async def test_a_command_that_fails_is_told() -> None:
    """Also what is sent again and again."""
    assert await levels(CheckHealth, errdefs.Unavailable("away")) == ["info"]


async def test_a_reply_that_no_json_holds_is_a_fault() -> None:
    """It is answered as one and put aside, and not handled again until it is given up."""

    async def handle(_command: Command[Any], _delivery: Delivery) -> Answer:
        return Answer(text="\udcff")

    settlement = await handled(CheckHealth, handle)

    assert settlement.outcome is Outcome.BURY
    assert isinstance(settlement.error, errdefs.Internal)
