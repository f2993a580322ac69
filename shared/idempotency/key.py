"""What an Idempotency-Key makes of a request: commands whose ids a repeat of it has, too."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from shared.contracts.message import Message

#: Begins the id of a message that answers to a key.
PREFIX: Final = "key."


class RequestKey:
    """A key within its *scope*: who asks, and for what; elsewhere it is another key."""

    def __init__(self, key: str, *scope: str) -> None:
        self._parts = (*scope, key)
        self._sent: Counter[str] = Counter()

    def digest(self, *purpose: str) -> str:
        """Return what stands for the key and one purpose, in 64 hexadecimal digits."""
        text = json.dumps([*self._parts, *purpose])  # unlike a separator, never ambiguous
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def message_id(self, command: Message) -> str:
        """Return the id of the next command of this type; a repeat counts from the start."""
        self._sent[command.TYPE] += 1
        return PREFIX + self.digest(command.TYPE, str(self._sent[command.TYPE]))


_CURRENT: ContextVar[RequestKey | None] = ContextVar("idempotency_key", default=None)


@contextmanager
def using(key: RequestKey) -> Iterator[None]:
    """Have the commands of this block answer to a key."""
    token = _CURRENT.set(key)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> RequestKey | None:
    """Return the key of the request that is being served, if it has one."""
    return _CURRENT.get()


def message_id(command: Message) -> str | None:
    """Return the id that a command must have; None: any, for its request has no key."""
    key = _CURRENT.get()
    return None if key is None else key.message_id(command)
