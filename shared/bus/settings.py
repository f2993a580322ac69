"""The figures of the bus: how long it waits and how much it keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """Times in seconds, lengths in entries."""

    #: How long a read waits for news; what Redis lost is noticed within this time.
    block_s: float = 1.0
    #: The same for reads of a group, which Redis itself ends when the group is lost: longer, for a
    #: node has a dozen of them, and each that ends costs CPU while nothing happens.
    group_block_s: float = 4.0
    #: How long Redis may take to connect or to answer before the connection is given up.
    answer_s: float = 5.0
    #: Waits between tries to connect: doubled from *base* to *cap*, with jitter.
    backoff_base_s: float = 0.05
    backoff_cap_s: float = 2.0
    #: How long something waits to be sent while there is no connection.
    patience_s: float = 2.0
    #: How long a message that was read may stay unattended before it is delivered again.
    lease_s: float = 30.0
    #: Deliveries of one message before it is buried.
    delivery_cap: int = 5
    #: Waits before a fact is handled again: doubled from *base* to *cap*, with jitter.
    retry_base_s: float = 0.1
    retry_cap_s: float = 10.0
    #: How long close waits for the handlers in hand.
    close_s: float = 10.0
    #: How many entries one read of facts takes.
    read_count: int = 256
    #: How long an unread reply is kept.
    reply_ttl_s: int = 600
    progress_ttl_s: int = 3600
    #: Settled commands are deleted, so this bounds what piles up while an owner is away:
    #: far above any backlog whose senders still wait, for trimming takes unread entries too.
    commands_length: int = 100_000
    changes_length: int = 100_000
    replies_length: int = 10_000
    progress_length: int = 1_000
    dead_length: int = 1_000
