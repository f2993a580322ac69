"""Which plugins must be ready before which, and in which order they are stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.contracts.plugin import Plugin, PluginState
from shared.contracts.reference import provides
from shared.contracts.supervision import CAPABILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """Something that a plugin requires and that is not ready."""

    why: str
    #: Whether it is wished, and so may become ready by itself.
    may_come: bool


def first_unmet(plugin: Plugin, plugins: Sequence[Plugin]) -> Unmet | None:
    """Return the first requirement that keeps a plugin from being started, if one does.

    Enabled plugins that require one another do not wait for one another: none would ever start.
    """
    for requirement in plugin.requires:
        known = [other for other in _meeting(requirement, plugins) if other is not plugin]
        excused = (other for other in _enabled(known) if _reaches(other, plugin, plugins))
        if not any(_is_ready(other) for other in known) and not any(excused):
            return _unmet(requirement, known)
    return None


def needed_by(plugin: Plugin, plugins: Sequence[Plugin]) -> tuple[str, ...]:
    """Return the names of the enabled plugins that would lack a requirement without *plugin*."""
    others = [other for other in plugins if other is not plugin]
    return tuple(
        other.name
        for other in others
        if other.enabled
        and any(
            _meets(plugin, requirement) and not list(_enabled(_meeting(requirement, others)))
            for requirement in other.requires
        )
    )


def cycle(plugin: Plugin, plugins: Sequence[Plugin]) -> tuple[str, ...]:
    """Return the names on a way from *plugin* over what it requires back to it; none: empty."""
    ways: list[tuple[Plugin, ...]] = [(plugin,)]
    seen = {plugin.plugin_id}
    while ways:
        way = ways.pop(0)
        for other in _required(way[-1], plugins):
            if other.plugin_id == plugin.plugin_id:
                return tuple(one.name for one in (*way, other))
            if other.plugin_id not in seen:
                seen.add(other.plugin_id)
                ways.append((*way, other))
    return ()


def stop_levels(plugins: Sequence[Plugin]) -> Iterator[tuple[Plugin, ...]]:
    """Yield plugins in the order they are stopped, those together that may go together.

    Nobody goes before all who require it have gone; those that require one another go together.
    """
    left = {plugin.plugin_id: plugin for plugin in plugins}
    while left:
        needed = {
            other.plugin_id
            for plugin in left.values()
            for other in _required(plugin, plugins)
            if other.plugin_id != plugin.plugin_id
        }
        level = tuple(p for p in left.values() if p.plugin_id not in needed) or tuple(left.values())
        yield level
        for plugin in level:
            del left[plugin.plugin_id]


def _required(plugin: Plugin, plugins: Iterable[Plugin]) -> Iterator[Plugin]:
    for requirement in plugin.requires:
        yield from _meeting(requirement, plugins)


def _reaches(plugin: Plugin, goal: Plugin, plugins: Sequence[Plugin]) -> bool:
    """Tell whether *plugin* requires *goal*, over however many others."""
    seen, ahead = {plugin.plugin_id}, [plugin]
    while ahead:
        for other in _required(ahead.pop(), plugins):
            if other.plugin_id == goal.plugin_id:
                return True
            if other.plugin_id not in seen:
                seen.add(other.plugin_id)
                ahead.append(other)
    return False


def _meeting(requirement: str, plugins: Iterable[Plugin]) -> list[Plugin]:
    return [plugin for plugin in plugins if _meets(plugin, requirement)]


def _meets(plugin: Plugin, requirement: str) -> bool:
    if requirement.startswith(CAPABILITY):
        return provides(plugin, requirement.removeprefix(CAPABILITY))
    return plugin.name == requirement


def _enabled(plugins: Iterable[Plugin]) -> Iterator[Plugin]:
    return (plugin for plugin in plugins if plugin.enabled)


def _is_ready(plugin: Plugin) -> bool:
    return plugin.enabled and plugin.status.state is PluginState.RUNNING


def _unmet(requirement: str, known: Sequence[Plugin]) -> Unmet:
    is_capability = requirement.startswith(CAPABILITY)
    coming = next(_enabled(known), None)
    if coming is not None:
        state = (
            f"{coming.name} is {coming.status.state}"
            if is_capability
            else (f"which is {coming.status.state}")
        )
        said = f": {coming.status.message}" if coming.status.message else ""
        return Unmet(why=f"it requires {requirement}, {state}{said}", may_come=True)
    if is_capability:
        why = "which no enabled plugin has: enable one that does"
    elif known:
        why = "which is disabled: enable it first"
    else:
        why = "which does not exist: install and enable it first"
    return Unmet(why=f"it requires {requirement}, {why}", may_come=False)
