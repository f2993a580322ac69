"""What a plugin manager does, as a model: its state, and what each verb answers and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

#: What each version of the plugin has as its own value of DEBUG.
DEFAULTS: Final = {"local": "0", "v1": "1", "v2": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlugin:
    """A plugin as its users see it."""

    version: str
    enabled: bool = False
    #: The value of DEBUG that a user chose; None: the version's own.
    chosen: str | None = None
    owners: frozenset[str] = frozenset()

    @property
    def debug(self) -> str:
        """Return the value of DEBUG that the plugin would be started with."""
        return DEFAULTS[self.version] if self.chosen is None else self.chosen


#: Plugins by their names.
State = Mapping[str, ModelPlugin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer's status, and words that its message has."""

    status: int
    words: str = ""

    @property
    def is_success(self) -> bool:
        """Tell whether the verb was carried out."""
        return self.status < 300


@dataclass(frozen=True, slots=True)
class Verb:
    """A request about the plugin *name*."""

    name: str

    def then(self, state: State) -> tuple[State, Answer]:
        """Return the state after this verb, and its answer."""
        plugin = state.get(self.name)
        if plugin is None:
            return self.without(state)
        changed, answer = self.upon(plugin)
        if changed is None:
            return {name: kept for name, kept in state.items() if name != self.name}, answer
        return {**state, self.name: changed}, answer

    def without(self, state: State) -> tuple[State, Answer]:
        """Return what happens where there is no such plugin."""
        return state, Answer(status=404, words=f'plugin "{self.name}" not found')

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Return what becomes of the plugin, None where it goes, and the answer."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Create(Verb):
    """Make it of a context."""

    def without(self, state: State) -> tuple[State, Answer]:
        """Return the state with the plugin."""
        return {**state, self.name: ModelPlugin(version="local")}, Answer(status=204)

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Refuse: the name is taken."""
        return plugin, Answer(status=409, words="already exists")


@dataclass(frozen=True, slots=True)
class Pull(Verb):
    """Pull a version from a registry."""

    version: str

    def without(self, state: State) -> tuple[State, Answer]:
        """Return the state with the plugin."""
        return {**state, self.name: ModelPlugin(version=self.version)}, Answer(status=200)

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Refuse: the name is taken."""
        return plugin, Answer(status=400, words="already exists")


@dataclass(frozen=True, slots=True)
class Upgrade(Verb):
    """Upgrade to a version at a registry."""

    version: str

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Change the version; what a user chose stays."""
        if plugin.enabled:
            return plugin, Answer(status=409, words="must be disabled before upgrading")
        return replace(plugin, version=self.version), Answer(status=200)


@dataclass(frozen=True, slots=True)
class Enable(Verb):
    """Start it."""

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Enable it once."""
        if plugin.enabled:
            return plugin, Answer(status=409, words="already enabled")
        return replace(plugin, enabled=True), Answer(status=200)


@dataclass(frozen=True, slots=True)
class Disable(Verb):
    """Stop it."""

    force: bool

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Disable it unless somebody holds it; force takes no lease away."""
        if plugin.owners and not self.force:
            return plugin, Answer(status=409, words="is in use")
        if not plugin.enabled:
            return plugin, Answer(status=409, words="already disabled")
        return replace(plugin, enabled=False), Answer(status=200)


@dataclass(frozen=True, slots=True)
class Remove(Verb):
    """Remove it."""

    force: bool

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Remove it unless it is held or enabled."""
        if plugin.owners and not self.force:
            return plugin, Answer(status=409, words="is in use")
        if plugin.enabled and not self.force:
            return plugin, Answer(status=409, words="is enabled")
        return None, Answer(status=200)


@dataclass(frozen=True, slots=True)
class Set(Verb):
    """Set DEBUG."""

    value: str

    @property
    def args(self) -> tuple[str, ...]:
        """Return what is said."""
        return (f"DEBUG={self.value}",)

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Change the value of a plugin that is stopped."""
        if plugin.enabled:
            return plugin, Answer(status=500, words="cannot set on an active plugin")
        return replace(plugin, chosen=self.value), Answer(status=204)


@dataclass(frozen=True, slots=True)
class SetInVain(Set):
    """Set DEBUG beside something that does not exist: neither is done."""

    @property
    def args(self) -> tuple[str, ...]:
        """Return what is said."""
        return (f"DEBUG={self.value}", "NOTHING=1")

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Refuse it whole."""
        if plugin.enabled:
            return plugin, Answer(status=500, words="cannot set on an active plugin")
        return plugin, Answer(status=500, words='setting "NOTHING" not found')


@dataclass(frozen=True, slots=True)
class Acquire(Verb):
    """Hold it."""

    owner: str

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Note the owner, once; a plugin that is disabled can't be held anew."""
        if not plugin.enabled and self.owner not in plugin.owners:
            return plugin, Answer(status=409, words="found but disabled")
        return replace(plugin, owners=plugin.owners | {self.owner}), Answer(status=200)


@dataclass(frozen=True, slots=True)
class Release(Verb):
    """Hold it no more."""

    owner: str

    def upon(self, plugin: ModelPlugin) -> tuple[ModelPlugin | None, Answer]:
        """Forget the owner, if it was one."""
        return replace(plugin, owners=plugin.owners - {self.owner}), Answer(status=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What some verbs answered, and the state after them."""

    answers: tuple[Answer, ...]
    state: State = field(hash=False)


def in_any_order(state: State, one: Verb, other: Verb) -> list[Outcome]:
    """Return what two verbs that come at once may lead to: one after the other, either way."""
    between, first = one.then(state)
    after, second = other.then(between)
    outcome = Outcome(answers=(first, second), state=after)
    between, second = other.then(state)
    after, first = one.then(between)
    return [outcome, Outcome(answers=(first, second), state=after)]
