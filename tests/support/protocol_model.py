"""The protocol of commands, operations and outboxes as a model: what each part keeps, step by step.

It mirrors ADR 0002 and docs/architecture.md: what is in a database survives, what is in Redis or
in a process does not. Each method is one step that happens wholly or not at all; between any two
of them anything may die. *Flaw* takes one of the rules away, to show what the rule is for.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Flaw(Enum):
    """A rule that is not kept."""

    NONE = auto()
    #: The reply to a command is not kept with its effect.
    NO_INBOX = auto()
    #: A command is acknowledged before it was committed.
    EARLY_REPLY = auto()
    #: Redis chooses the ids of changes, and the relay remembers how far it came.
    NO_EXPLICIT_IDS = auto()
    #: A change is committed without what is to be published of it.
    NO_OUTBOX = auto()
    #: A store that starts leaves operations as they were.
    NO_RECOVERY = auto()
    #: The feed does not look where an event came from.
    NO_SOURCES = auto()


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to turn a plugin on or off; *number* is the message's id."""

    number: int
    plugin: str
    on: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """What is under way on a plugin, journalled before its effect."""

    command: Command
    container: str


@dataclass(slots=True)
class StoreDatabase:
    """store.db."""

    enabled: set[str] = field(default_factory=set)
    containers: dict[str, str] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    #: Replies by message id.
    inbox: set[int] = field(default_factory=set)
    #: Facts by revision.
    outbox: dict[int, tuple[str, bool]] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Redis:
    """Messages on their way; may be lost at any moment."""

    commands: list[Command] = field(default_factory=list)
    pending: list[Command] = field(default_factory=list)
    #: The store's changes: revision and fact, in order.
    changes: list[tuple[int, tuple[str, bool]]] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A store, an executor, a relay, an event service and clients."""

    flaw: Flaw = Flaw.NONE
    store: StoreDatabase = field(default_factory=StoreDatabase)
    redis: Redis = field(default_factory=Redis)
    #: What runs, by container: the executor holds no truth of its own.
    running: dict[str, str] = field(default_factory=dict)
    #: event.db: facts in the order of their numbers, and where each came from.
    feed: list[tuple[str, bool]] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    taken_in: int = 0
    #: What clients were told was done, in order.
    acknowledged: list[Command] = field(default_factory=list)
    #: What clients asked and were answered nothing about.
    doubtful: list[Command] = field(default_factory=list)
    #: What clients were told was not done.
    refused: list[Command] = field(default_factory=list)
    #: How often a command had an effect.
    effects: Counter[int] = field(default_factory=Counter)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    #: What the store's process has in hand; lost with it.
    _in_hand: dict[str, Command] = field(default_factory=dict)
    _to_reply: list[Command] = field(default_factory=list)
    _relayed: int = 0

    # -- clients

    def ask(self, plugin: str, *, on: bool) -> None:
        """Send a command."""
        command = Command(next(self._numbers), plugin, on)
        self.doubtful.append(command)
        self.redis.commands.append(command)

    # -- the store's process, step by step

    def take(self) -> None:
        """Read the next command; until it is settled it stays pending."""
        if self.redis.commands:
            self.redis.pending.append(self.redis.commands.pop(0))

    def begin(self, index: int) -> None:
        """Take a pending command's lane and commit its operation, or answer it from the inbox."""
        if not self.redis.pending:
            return
        command = self.redis.pending[index % len(self.redis.pending)]
        database = self.store
        if self.flaw is Flaw.EARLY_REPLY and command in self.doubtful:
            self._acknowledge(command)
        if command.number in database.inbox:
            self._to_reply.append(command)
            return
        if command.plugin in self._in_hand or command.plugin in database.operations:
            return  # its lane is taken: it waits
        if (command.plugin in database.enabled) == command.on:
            self._refuse(command)  # it is so already
            return
        container = database.containers.get(command.plugin, "")
        if command.on:
            database.starts[command.plugin] += 1
            container = f"{command.plugin}-{database.starts[command.plugin]}"
        database.operations[command.plugin] = Operation(command, container)
        self._in_hand[command.plugin] = command

    def act(self, plugin: str) -> None:
        """Have the executor start or stop the container: by its id, so a repeat changes nothing."""
        if plugin not in self._in_hand:
            return
        operation = self.store.operations[plugin]
        if operation.command.on:
            self.running[operation.container] = plugin
        else:
            self.running.pop(operation.container, None)

    def commit(self, plugin: str) -> None:
        """Commit effect, fact, reply and the operation's end together, if the effect is there."""
        if plugin not in self._in_hand:
            return
        operation = self.store.operations[plugin]
        if (operation.container in self.running) != operation.command.on:
            return
        self._commit(plugin, operation)
        del self._in_hand[plugin]
        self._to_reply.append(operation.command)

    def reply(self) -> None:
        """Answer a command whose effect is committed, and settle it."""
        if self._to_reply:
            command = self._to_reply.pop(0)
            self._acknowledge(command)
            self._settle(command)

    def relay(self) -> None:
        """Publish the next of the outbox: behind the last id that the stream has had."""
        last = max((revision for revision, _ in self.redis.changes), default=0)
        if self.flaw is Flaw.NO_EXPLICIT_IDS:
            last = self._relayed
        due = [revision for revision in sorted(self.store.outbox) if revision > last]
        if due:
            self._relayed = due[0]
            chosen = next(self._numbers) if self.flaw is Flaw.NO_EXPLICIT_IDS else due[0]
            self.redis.changes.append((chosen, self.store.outbox[due[0]]))

    # -- the event service

    def take_in(self, again: int = 0) -> None:
        """Give the next fact its number; after a loss of Redis, read some once more."""
        position = max(0, self.taken_in - again)
        for revision, fact in self.redis.changes:
            if revision > position and (
                self.flaw is Flaw.NO_SOURCES or revision not in self.sources
            ):
                self.feed.append(fact)
                self.sources.append(revision)
                self.taken_in = max(self.taken_in, revision)
                return

    # -- bad luck

    def kill_store(self) -> None:
        """Kill the store and start it: what it had in hand is lost, what it committed is not."""
        self._in_hand.clear()
        self._to_reply.clear()
        self._relayed = 0
        if self.flaw is Flaw.NO_RECOVERY:
            return
        for plugin, operation in list(self.store.operations.items()):
            if operation.command.on:
                # Nobody was told that it began: it is undone.
                self.running.pop(operation.container, None)
                del self.store.operations[plugin]
            else:
                # It was decided: it is finished.
                self.running.pop(operation.container, None)
                self._commit(plugin, operation)
        known = set(self.store.containers.values())
        for container in [one for one in self.running if one not in known]:
            del self.running[container]

    def lose_redis(self) -> None:
        """Lose all that Redis had: who waits is told that it may or may not have happened."""
        self.redis = Redis()

    def redeliver(self) -> None:
        """Deliver what is pending once more, after a lease."""
        self.redis.pending = [*self.redis.pending[1:], *self.redis.pending[:1]]

    # -- what the steps share

    def _commit(self, plugin: str, operation: Operation) -> None:
        database, command = self.store, operation.command
        if command.on:
            database.enabled.add(plugin)
            database.containers[plugin] = operation.container
        else:
            database.enabled.discard(plugin)
            database.containers.pop(plugin, None)
        del database.operations[plugin]
        if self.flaw is not Flaw.NO_INBOX:
            database.inbox.add(command.number)
        if self.flaw is not Flaw.NO_OUTBOX:
            database.outbox[len(database.outbox) + 1] = (plugin, command.on)
        self.effects[command.number] += 1

    def _acknowledge(self, command: Command) -> None:
        if command in self.doubtful:
            self.doubtful.remove(command)
            self.acknowledged.append(command)

    def _refuse(self, command: Command) -> None:
        if command in self.doubtful:
            self.doubtful.remove(command)
            self.refused.append(command)
        self._settle(command)

    def _settle(self, command: Command) -> None:
        if command in self.redis.pending:
            self.redis.pending.remove(command)
