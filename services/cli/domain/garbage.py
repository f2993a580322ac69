"""Blobs that nothing on the node needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What the collector deleted, or would delete."""

    digests: tuple[str, ...]
    size_bytes: int
    is_deleted: bool

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(
            digests=tuple(body["digests"]),
            size_bytes=body["size_bytes"],
            is_deleted=body["deleted"],
        )

    def to_text(self) -> str:
        """Return a line a blob, and what they come to."""
        verb = "deleted" if self.is_deleted else "would delete"
        count = len(self.digests)
        blobs = "1 blob" if count == 1 else f"{count} blobs"
        return "\n".join([*self.digests, f"{verb} {blobs}, {self.size_bytes} bytes"])
