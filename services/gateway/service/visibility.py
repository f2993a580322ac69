"""When a change is over for clients: reads show it, and who follows the events was told."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.service.feed import Feed
from services.gateway.service.replica import Replica
from shared.contracts.event import FeedPosition
from shared.contracts.store import Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What answers wait for; never for long, as the change itself has succeeded."""

    replica: Replica
    feed: Feed

    async def settle(self, reply: Changed) -> None:
        """Return once the replica shows what a reply says, and its events were told.

        As with dockerd, who follows the events has an event before who caused it has the answer.
        """
        await self.replica.settle(reply)
        revision = max((change.revision for change in reply.changes if change.facts), default=0)
        if revision:
            position = FeedPosition(source="store", epoch=reply.epoch, revision=revision)
            await self.feed.told(position)

    async def catch_up(self) -> None:
        """Have the replica show all that is committed, where a reply was lost."""
        await self.replica.catch_up()
