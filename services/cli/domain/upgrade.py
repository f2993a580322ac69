"""An upgrade of many plugins as the gateway shows it, and how a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from services.cli.domain.table import aligned, cell, duration

_NS: Final = 10**9
_SHORT: Final = 12
#: A plugin of these has had its turn.
_ENDED: Final = frozenset(
    {
        "upgraded",
        "failed",
        "unchanged",
        "cancelled",
        "rolled_back",
        "rollback_failed",
    }
)
_MOVING: Final = frozenset({"upgrading", "rolling_back"})
#: A rollback puts back all of these that there are, or has.
_PUT_BACK: Final = frozenset({"upgraded", "rolling_back", "rolled_back", "rollback_failed"})
#: What a script learns from the exit status.
EXIT_STATUSES: Final[Mapping[str, int]] = {
    "planned": 0,
    "completed": 0,
    "failed": 1,
    "paused": 4,
    "rollback_completed": 5,
    "cancelled": 6,
    "rollback_paused": 7,
}
#: It went on to its end, and some plugins are what they were.
EXIT_SOME_FAILED: Final = 3
#: What may be done next, by state.
_NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "completed": (
        "`wherry upgrade inspect {id}` shows each plugin",
        "`wherry upgrade rollback {id}` puts back those that were upgraded",
    ),
    "paused": (
        "`wherry upgrade inspect {id}` shows each plugin",
        "`wherry upgrade resume {id}` goes on; those that failed stay as they are",
        "`wherry upgrade rollback {id}` puts back those that were upgraded",
    ),
    "cancelled": (
        "`wherry upgrade inspect {id}` shows each plugin",
        "`wherry upgrade rollback {id}` puts back those that were upgraded",
    ),
    "rollback_completed": ("`wherry upgrade inspect {id}` shows each plugin",),
    "rollback_paused": (
        "`wherry upgrade inspect {id}` shows each plugin",
        "`wherry upgrade rollback {id}` tries those again that could not be put back",
    ),
}
LIST_HEADINGS: Final = ("UPGRADE", "STATE", "PLUGINS", "DONE", "FAILED", "TARGET", "AGE")
PLAN_HEADINGS: Final = ("NODE", "PLUGIN", "FROM", "TO", "STATE", "WHAT CHANGES")
LIVE_HEADINGS: Final = ("NODE", "PLUGIN", "STATE", "PHASE", "BYTES")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradedPlugin:
    """A plugin of an upgrade: its plan, and how far it is."""

    number: int
    node: str
    name: str
    from_digest: str
    to_reference: str
    to_digest: str
    state: str
    #: What would be another, each as `what: old -> new`.
    changes: tuple[str, ...]
    error: str
    status: str
    current_bytes: int
    total_bytes: int

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's plugin."""
        plugin, live = shown["plugin"], shown.get("live") or {}
        differences = (*plugin.get("privileges", ()), *plugin.get("settings", ()))
        return cls(
            number=plugin["number"],
            node=plugin["node"],
            name=plugin["name"],
            from_digest=plugin["from_digest"],
            to_reference=plugin["to_reference"],
            to_digest=plugin.get("to_digest", ""),
            state=plugin["state"],
            changes=tuple(
                f"{one['what']}: {cell(one.get('old'))} -> {cell(one.get('new'))}"
                for one in differences
            ),
            error=str((plugin.get("error") or {}).get("message", "")),
            status=live.get("status", ""),
            current_bytes=live.get("current_bytes", 0),
            total_bytes=live.get("total_bytes", 0),
        )

    @property
    def is_moving(self) -> bool:
        """Tell whether a job has it."""
        return self.state in _MOVING

    @property
    def shown_bytes(self) -> str:
        """Return how much was moved of what is being moved."""
        if not self.total_bytes:
            return ""
        return f"{_size(self.current_bytes)} of {_size(self.total_bytes)}"

    def __str__(self) -> str:
        why = f": {self.error}" if self.error and self.state.endswith("failed") else ""
        return f"{self.node}/{self.name}: {self.state}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """An upgrade of many plugins."""

    upgrade_id: str
    state: str
    message: str
    warnings: tuple[str, ...]
    target: str
    counts: Mapping[str, int]
    fetches: int
    fetched: int
    created_at_ns: int
    ended_at_ns: int | None
    is_over: bool
    left_s: float | None

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's upgrade."""
        target = shown["request"]["target"]
        return cls(
            upgrade_id=shown["batch_id"],
            state=shown["state"],
            message=shown.get("message", ""),
            warnings=tuple(shown.get("warnings", ())),
            target=target.get("reference") or target.get("tag", ""),
            counts=shown.get("counts", {}),
            fetches=shown.get("fetches", 0),
            fetched=shown.get("fetched", 0),
            created_at_ns=shown["created_at_ns"],
            ended_at_ns=shown.get("ended_at_ns"),
            is_over=shown["is_over"],
            left_s=shown.get("left_s"),
        )

    @property
    def total(self) -> int:
        """Return how many plugins it is about."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Return how many have had their turn, in a rollback to be put back."""
        return sum(count for state, count in self.counts.items() if self.is_end(state))

    @property
    def is_rollback(self) -> bool:
        """Tell whether it goes, or went, backwards."""
        return self.state.startswith("rollback")

    def is_end(self, state: str) -> bool:
        """Tell whether a plugin in a state has had its turn: upgraded, it waits to be put back."""
        return state in _ENDED and not (self.is_rollback and state == "upgraded")

    @property
    def failed(self) -> int:
        """Return how many are not what they were to be."""
        return self.counts.get("failed", 0) + self.counts.get("rollback_failed", 0)

    @property
    def is_planned(self) -> bool:
        """Tell whether there is a plan, or never will be."""
        return self.state != "planning"

    @property
    def is_at_rest(self) -> bool:
        """Tell whether nothing happens until somebody says something."""
        is_waiting = self.state in ("paused", "rollback_paused")
        moving = sum(self.counts.get(state, 0) for state in _MOVING)
        return self.is_over or (is_waiting and not moving)

    @property
    def exit_status(self) -> int:
        """Return what a script is told."""
        status = EXIT_STATUSES.get(self.state, 1)
        return EXIT_SOME_FAILED if status == 0 and self.failed else status

    def summary(self) -> str:
        """Return a line about all of it."""
        counts = ", ".join(f"{count} {state}" for state, count in sorted(self.counts.items()))
        parts = [f"upgrade {self.upgrade_id} to {self.target}: {self.state}"]
        if self.state == "prefetching" and self.fetches:
            parts.append(f"{self.fetched} of {self.fetches} versions fetched")
        if self.is_rollback:
            back = sum(self.counts.get(state, 0) for state in _PUT_BACK)
            parts.append(f"{self.counts.get('rolled_back', 0)} of {back} put back: {counts}")
        elif self.state == "planned":
            parts.append(f"{self.total} planned: {counts}")
        elif counts:
            parts.append(f"{self.done} of {self.total} done: {counts}")
        if self.left_s is not None:
            parts.append(f"about {duration(max(1, round(self.left_s)))} left")
        return "; ".join(parts)

    def next_steps(self) -> tuple[str, ...]:
        """Return what may be done now, a line each."""
        if self.is_at_rest:
            lines = _NEXT.get(self.state, ())
        else:
            lines = ("`wherry upgrade watch {id}` shows it on its way",)
        return tuple(line.format(id=self.upgrade_id) for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An upgrade, and plugins of it that have changed."""

    position: str
    upgrade: Upgrade
    plugins: tuple[UpgradedPlugin, ...]

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read the gateway's line."""
        return cls(
            position=shown.get("position", ""),
            upgrade=Upgrade.from_json(shown["upgrade"]),
            plugins=tuple(map(UpgradedPlugin.from_json, shown["plugins"])),
        )

    def plan(self) -> str:
        """Return each plugin with what changes of it."""
        rows = [
            (
                one.node,
                one.name,
                _digest(one.from_digest),
                f"{one.to_reference} {_digest(one.to_digest)}".rstrip(),
                one.state,
                one.error or "; ".join(one.changes) or "-",
            )
            for one in self.plugins
        ]
        lines = aligned([PLAN_HEADINGS, *rows]) if rows else []
        return "\n".join([*lines, *(f"warning: {text}" for text in self.upgrade.warnings)])


def listed(upgrades: Sequence[Upgrade], now_ns: int) -> str:
    """Return a table of upgrades."""
    rows = [
        (
            one.upgrade_id,
            one.state,
            str(one.total),
            str(one.done),
            str(one.failed),
            one.target,
            duration((now_ns - one.created_at_ns) // _NS),
        )
        for one in upgrades
    ]
    return "\n".join(aligned([LIST_HEADINGS, *rows]))


def _digest(digest: str) -> str:
    return digest.partition(":")[2][:_SHORT] or "-"


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
