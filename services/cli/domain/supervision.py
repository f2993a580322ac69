"""How a plugin is supervised, and whose word that is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.cli.domain.table import aligned
from shared import errdefs


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """The gateway's answer: what holds, with its origins."""

    body: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the gateway's answer."""
        return cls(body=body)

    def to_json(self) -> str:
        """Return it for programs."""
        return json.dumps(self.body, indent=2)

    def to_text(self) -> str:
        """Return a table of what holds, and who said so."""
        shown = {
            "restart_policy": policy_text(self.body["restart_policy"]),
            "health": _health_text(self.body["health"]),
            "requires": " ".join(self.body["requires"]) or "nothing",
        }
        origins = self.body["origins"]
        rows = [(part.replace("_", " "), text, origins[part]) for part, text in shown.items()]
        return "\n".join(aligned([("PART", "IS", "SAYS"), *rows]))


def policy_body(text: str) -> dict[str, Any]:
    """Return a restart policy as the gateway takes it; raises InvalidArgument for a bad count."""
    name, colon, count = text.partition(":")
    if not colon:
        return {"name": name}
    if not (count.isascii() and count.isdigit()):
        raise errdefs.InvalidArgument(
            f"restart policy {text} is invalid: behind the colon stands how often it is tried"
        )
    return {"name": name, "maximum_retry_count": int(count)}


def policy_text(body: Mapping[str, Any]) -> str:
    """Return a restart policy as people write it."""
    count = body["maximum_retry_count"]
    return f"{body['name']}:{count}" if count else str(body["name"])


def _health_text(body: Mapping[str, Any]) -> str:
    test = " ".join(body["test"])
    if test == "NONE":
        return "not asked"
    start = f", from {body['start_period_s']:g} s on" if body["start_period_s"] else ""
    then = ", then restarted" if body["on_unhealthy"] == "restart" else ""
    return (
        f"{test} every {body['interval_s']:g} s{start}, {body['timeout_s']:g} s each; "
        f"unhealthy after {body['retries']} failures{then}"
    )
