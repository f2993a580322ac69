"""ports.UpgradeDisplay without a terminal: a line when something is settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.cli.domain.upgrade import Upgrade, UpgradedPlugin


class PlainUpgradeDisplay:
    """Says each state of the upgrade, and how each plugin's turn ended."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._state = ""
        self._warned: set[str] = set()
        self._ended: dict[int, str] = {}

    def show(self, upgrade: Upgrade, plugins: Sequence[UpgradedPlugin]) -> None:
        """Show it as it is now, with the plugins that have changed."""
        for text in upgrade.warnings:
            if text not in self._warned:
                self._warned.add(text)
                self._say(f"warning: {text}")
        if not upgrade.is_at_rest:
            self._say_state(upgrade)
        self._ended = {n: state for n, state in self._ended.items() if upgrade.is_end(state)}
        for plugin in plugins:
            if upgrade.is_end(plugin.state) and self._ended.get(plugin.number) != plugin.state:
                self._ended[plugin.number] = plugin.state
                # A line more is one more: several may be told at once.
                self._say(f"{len(self._ended)}/{upgrade.total} {plugin}")
        self._say_state(upgrade)

    def _say_state(self, upgrade: Upgrade) -> None:
        if upgrade.state != self._state:
            self._state = upgrade.state
            why = f" ({upgrade.message})" if upgrade.message else ""
            self._say(f"upgrade {upgrade.upgrade_id}: {upgrade.state}{why}")

    def note(self, text: str) -> None:
        """Show a line of our own."""
        self._say(text)

    def close(self) -> None:
        """Leave what is shown as it is."""
