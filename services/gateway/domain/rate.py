"""How many requests somebody may send: so many a second, and a few at once."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

#: Who sends nothing for long is forgotten first; so many are remembered.
_REMEMBERED: Final = 4096


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """A bucket of tokens for each client: *per_second* come in, at most *burst* are in it."""

    per_second: float
    burst: float
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def take(self, client: str, now_s: float) -> int:
        """Take one; return 0, or the whole seconds until there will be one again."""
        bucket = self._filled(client, now_s)
        if bucket.left >= 1:
            bucket.left -= 1
            return 0
        return max(1, math.ceil((1 - bucket.left) / self.per_second))

    def wait_s(self, client: str, now_s: float) -> int:
        """Return what `take` would, and take none."""
        bucket = self._filled(client, now_s)
        return 0 if bucket.left >= 1 else max(1, math.ceil((1 - bucket.left) / self.per_second))

    def _filled(self, client: str, now_s: float) -> _Bucket:
        bucket = self._buckets.pop(client, None) or _Bucket(self.burst, now_s)
        bucket.left = min(self.burst, bucket.left + (now_s - bucket.at_s) * self.per_second)
        bucket.at_s = now_s
        self._buckets[client] = bucket
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket
