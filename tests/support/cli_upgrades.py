"""Upgrades as the command line's tests need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.cli.domain.login import Login
from services.cli.domain.upgrade import Change, Upgrade, UpgradedPlugin
from shared import errdefs


def upgrade(
    state: str = "updating",
    *,
    left_s: float | None = None,
    warnings: Sequence[str] = (),
    **counts: int,
) -> Upgrade:
    """Return an upgrade with so many plugins in which state."""
    return Upgrade.from_json(
        {
            "batch_id": "u1",
            "request": {"target": {"tag": "v2"}},
            "state": state,
            "counts": counts,
            "left_s": left_s,
            "warnings": warnings,
            "created_at_ns": 10**9,
            "is_over": state
            in ("completed", "cancelled", "rollback_completed", "planned", "failed"),
        }
    )


def plugin(
    number: int = 0, state: str = "upgrading", *, live: str = "Stopping", **more: Any
) -> UpgradedPlugin:
    """Return a plugin of an upgrade, with what its job says."""
    planned = {
        "number": number,
        "node": "n1",
        "name": f"p{number}",
        "from_digest": "sha256:" + "a" * 64,
        "to_reference": "r.example/p:v2",
        "to_digest": "sha256:" + "b" * 64,
        "state": state,
        **more,
    }
    return UpgradedPlugin.from_json({"plugin": planned, "live": {"status": live}})


@dataclass
class FakeUpgradeApi:
    """Answers from lists; an error in *changes* is raised by the follower."""

    changes: list[Change | errdefs.Error] = field(default_factory=list)
    shown: list[Change] = field(default_factory=list)
    created: list[tuple[Mapping[str, Any], Login]] = field(default_factory=list)
    steered: list[tuple[str, str]] = field(default_factory=list)

    def create_upgrade(self, body: Mapping[str, Any], login: Login) -> Upgrade:
        self.created.append((body, login))
        return upgrade("planning")

    def upgrades(self) -> tuple[Upgrade, ...]:
        return (upgrade("updating", upgraded=1, pending=2),)

    def upgrade(self, upgrade_id: str) -> Change:
        return self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]

    def steer_upgrade(self, upgrade_id: str, verb: str) -> Upgrade:
        self.steered.append((upgrade_id, verb))
        return upgrade("paused")

    def follow_upgrade(self, upgrade_id: str, after: str) -> Iterator[Change]:
        while self.changes:
            said = self.changes.pop(0)
            if isinstance(said, errdefs.Error):
                raise said
            yield said


@dataclass
class FakeUpgradeDisplay:
    """Keeps what it is shown."""

    states: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    closed: int = 0

    def show(self, upgrade: Upgrade, plugins: Sequence[UpgradedPlugin]) -> None:
        self.states.append(upgrade.state)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        self.closed += 1
