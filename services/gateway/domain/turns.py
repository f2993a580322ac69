"""Whose turn it is: everybody comes again and again, however much one of them has waiting."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W")
#: Each with its number among all that came.
_Queue = deque[tuple[int, W]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who waits: somebody by name, and on a unix socket one of their processes."""

    name: str
    #: 0 where nobody knows.
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped(Generic[W]):
    """What was taken out of the queue to make room."""

    waiting: W
    #: How many of its client's were waiting, it among them.
    of_client: int


class Turns(Generic[W]):
    """A queue for each client. Names take turns, and in each turn of a name its processes do.

    So neither many requests of one process, nor many processes of one user, hold up the others.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[str, OrderedDict[Client, _Queue[W]]] = OrderedDict()
        self._count = 0
        self._added = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def add(self, client: Client, waiting: W) -> None:
        """Have one wait behind what its client has waiting."""
        clients = self._names.setdefault(client.name, OrderedDict())
        self._count += 1
        self._added += 1
        clients.setdefault(client, deque()).append((self._added, waiting))

    def discard(self, client: Client, waiting: W) -> None:
        """Take one out, unless it is out already."""
        queue: _Queue[W] = self._names.get(client.name, OrderedDict()).get(client, deque())
        for one in queue:
            if one[1] is waiting:
                queue.remove(one)
                self._taken(client)
                return

    def take(self, may: Callable[[Client], bool]) -> W | None:
        """Take out the next one of a client that may; None where none is waiting."""
        for clients in self._names.values():
            for client, queue in clients.items():
                if may(client):
                    _, waiting = queue.popleft()
                    clients.move_to_end(client)
                    self._names.move_to_end(client.name)
                    self._taken(client)
                    return waiting
        return None

    def drop(self) -> Dropped[W]:
        """Take out the last of who has most waiting: among equals, of who came last.

        Something must be waiting.
        """
        clients = max(self._names.values(), key=lambda them: _weight(them.values()))
        client = max(clients, key=lambda one: _weight([clients[one]]))
        queue = clients[client]
        dropped = Dropped(waiting=queue[-1][1], of_client=len(queue))
        queue.pop()
        self._taken(client)
        return dropped

    def _taken(self, client: Client) -> None:
        self._count -= 1
        clients = self._names[client.name]
        if not clients[client]:
            del clients[client]
        if not clients:
            del self._names[client.name]


def _weight(queues: Iterable[_Queue[W]]) -> tuple[int, int]:
    """Return how many wait in queues, and when the last one came."""
    queues = list(queues)
    return sum(map(len, queues)), max(queue[-1][0] for queue in queues)
