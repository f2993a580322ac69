"""How a plugin is, in a few words for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.contracts.executor import Exit, HealthStatus
from shared.contracts.plugin import Plugin, PluginState
from shared.oci.plugin_config import PluginInterfaceType

_ID_LENGTH: Final = 12


class Tone(StrEnum):
    """How a state is to be taken: each has a colour and a shape of its own."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    OFF = "off"


#: In the order in which they are counted and shown.
STATES: Final[Mapping[str, Tone]] = {
    "running": Tone.GOOD,
    "starting": Tone.BUSY,
    "stopping": Tone.BUSY,
    "upgrading": Tone.BUSY,
    "degraded": Tone.WARN,
    "waiting": Tone.WARN,
    "restarting": Tone.BAD,
    "unhealthy": Tone.BAD,
    "exited": Tone.BAD,
    "disabled": Tone.OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFilterView:
    """Which plugins a person wishes to see."""

    text: str = ""
    state: str = ""
    capability: str = ""

    def shows(self, plugin: Plugin) -> bool:
        """Tell whether a plugin fits."""
        return (
            (not self.state or state_of(plugin) == self.state)
            and (not self.capability or self.capability in capabilities(plugin))
            and self.text.lower() in f"{plugin.name} {plugin.reference} {plugin.plugin_id}".lower()
        )


def short_id(plugin: Plugin) -> str:
    """Return the beginning of its id, by which pages are named."""
    return plugin.plugin_id[:_ID_LENGTH]


def state_of(plugin: Plugin) -> str:
    """Return one of STATES."""
    status = plugin.status
    if status.upgrading is not None:
        return "upgrading"
    if status.state is PluginState.RUNNING:
        if status.health is HealthStatus.UNHEALTHY:
            return "unhealthy"
        return "degraded" if status.degraded else "running"
    if status.state is PluginState.STOPPED:
        return "waiting" if plugin.enabled else "disabled"
    return status.state.value


def explanation(plugin: Plugin) -> str:
    """Say what else there is to say of a state; empty where all is well."""
    status = plugin.status
    if status.upgrading is not None:
        return f"{status.upgrading.strategy}: {status.upgrading.phase}"
    if status.state in (PluginState.RESTARTING, PluginState.EXITED):
        why = ending(status.last_exit) if status.last_exit is not None else status.message
        return " · ".join(filter(None, (_tries(plugin), why)))
    if status.health is HealthStatus.UNHEALTHY:
        return status.health_message or "its health check fails"
    if status.degraded:
        return "its supervisor died: no output is kept until its next start"
    return status.message


def ending(last: Exit | None) -> str:
    """Say how a run ended."""
    if last is None:
        return ""
    if last.oom_killed:
        return "it was killed for want of memory"
    if last.exit_code is None:
        return "it ended, nobody knows how"
    return f"it ended with exit code {last.exit_code}"


def capabilities(plugin: Plugin) -> tuple[str, ...]:
    """Return Docker's capabilities of a plugin."""
    types = (plugin.config.get("Interface") or {}).get("Types") or ()
    return tuple(PluginInterfaceType.parse(text).capability for text in types)


def counts(plugins: Iterable[Plugin]) -> dict[str, int]:
    """Return how many plugins are in each of STATES, those that none is in included."""
    found = Counter(map(state_of, plugins))
    return {state: found[state] for state in STATES}


def _tries(plugin: Plugin) -> str:
    restarts = plugin.status.restarts
    return (
        f"{restarts} {'run' if restarts == 1 else 'runs'} in a row did not last" if restarts else ""
    )
