"""What differs between two versions of a plugin, for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from services.cli.domain.table import aligned, cell

_WHY: Final = {
    "kept": "kept, as you chose it",
    "default": "follows the new default",
    "new": "new",
    "dropped": "dropped: the new version has it no more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDiff:
    """The gateway's answer."""

    body: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(body=body)

    def to_json(self) -> str:
        """Return it for programs."""
        return json.dumps(self.body, indent=2)

    def to_text(self) -> str:
        """Return it for a person."""
        old, new = self.body["old"], self.body["new"]
        if old["manifest_digest"] == new["manifest_digest"]:
            return f"{old['name']} and {new['name']} are the same: {old['manifest_digest']}"
        head = [("old", old["name"], old["manifest_digest"])]
        head.append(("new", new["name"], new["manifest_digest"]))
        return "\n\n".join(["\n".join(aligned(head)), *self._parts()])

    def _parts(self) -> Iterator[str]:
        for part in ("config", "privileges", "settings"):
            rows = [
                (one["what"], cell(one["old"]), cell(one["new"]), _WHY.get(one["why"], ""))
                for one in self.body[part]
            ]
            if rows:
                yield "\n".join(aligned([(part.upper(), "OLD", "NEW", ""), *rows]))
        counts = (len(self.body[f"layers_{which}"]) for which in ("kept", "added", "removed"))
        yield "layers: {} kept, {} new, {} gone".format(*counts)
