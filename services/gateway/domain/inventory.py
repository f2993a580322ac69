"""The replica's picture of the inventory: it only moves forward, in whatever order news arrive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from services.gateway.domain import docker_json
from services.gateway.domain.plugin_filter import PluginFilter
from shared.contracts import plugin as plugins
from shared.contracts.event import FeedPosition
from shared.contracts.plugin import Plugin
from shared.contracts.store import Inventory as Snapshot
from shared.contracts.store import PluginChanged

_SHOWS_ALL = PluginFilter()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A plugin, and Docker's JSON of it."""

    plugin: Plugin

    @cached_property
    def json(self) -> bytes:
        """Return the JSON, made when it is first asked for: most changes nobody looks at."""
        return docker_json.dense(docker_json.plugin_object(self.plugin))


class Inventory:
    """All plugins at *revision* of *epoch*, with what is already known of later revisions.

    Changes come twice, and not in order: with the replies to verbs, and in the store's stream.
    """

    def __init__(self) -> None:
        self.epoch = ""
        #: Everything up to here is contained.
        self.revision = 0
        self._entries: dict[str, Entry] = {}
        self._id_by_name: dict[str, str] = {}
        #: Later revisions that are contained already, and the plugin each is about.
        self._ahead: dict[int, str] = {}
        self._list: bytes | None = None
        #: Counts what is taken in: what was read at the same count is still true.
        self.taken_in = 0

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Return the entries by plugin id."""
        return MappingProxyType(self._entries)

    @property
    def newest(self) -> FeedPosition:
        """Return the newest revision that is known of."""
        newest = max(self._ahead, default=self.revision)
        return FeedPosition(source="store", epoch=self.epoch, revision=newest)

    def contains(self, epoch: str, revision: int) -> bool:
        """Tell whether what happened at *revision* is part of the picture."""
        return epoch == self.epoch and (revision <= self.revision or revision in self._ahead)

    def take(self, snapshot: Snapshot) -> None:
        """Begin again at the snapshot, keeping what is known of later revisions.

        A snapshot that is older than the picture changes nothing.
        """
        is_same_epoch = snapshot.epoch == self.epoch
        if is_same_epoch and snapshot.revision < self.revision:
            return
        ahead = {r: i for r, i in self._ahead.items() if is_same_epoch and r > snapshot.revision}
        later = set(ahead.values())
        kept = {i: entry for i, entry in self._entries.items() if i in later}
        taken = {p.plugin_id: Entry(plugin=p) for p in snapshot.plugins if p.plugin_id not in later}
        self._entries = taken | kept
        self._id_by_name = {entry.plugin.name: i for i, entry in self._entries.items()}
        self.epoch, self.revision, self._ahead = snapshot.epoch, snapshot.revision, ahead
        self._list = None
        self.taken_in += 1
        self._catch_up()

    def apply(self, change: PluginChanged) -> None:
        """Take in a change of this epoch; one that is contained already changes nothing."""
        if change.epoch != self.epoch or self.contains(change.epoch, change.revision):
            return
        newest = max((r for r, i in self._ahead.items() if i == change.plugin_id), default=0)
        if change.revision > newest:
            self._put(change.plugin_id, change.plugin)
        self._ahead[change.revision] = change.plugin_id
        self._catch_up()

    def resolve(self, name: str) -> Entry:
        """Return the entry that *name* means; raises NotFound, or InvalidArgument in doubt."""
        return self._entries[plugins.resolve(name, self._id_by_name, self._entries)]

    def docker_list(self, wanted: PluginFilter) -> bytes:
        """Return Docker's list of the plugins that pass, sorted by name."""
        if wanted != _SHOWS_ALL:
            return _joined(e for e in self._entries.values() if wanted.matches(e.plugin))
        if self._list is None:
            self._list = _joined(self._entries.values())
        return self._list

    def _put(self, plugin_id: str, plugin: Plugin | None) -> None:
        self._list = None
        self.taken_in += 1
        before = self._entries.pop(plugin_id, None)
        # A later plugin may have taken the name already.
        if before is not None and self._id_by_name.get(before.plugin.name) == plugin_id:
            del self._id_by_name[before.plugin.name]
        if plugin is not None:
            self._entries[plugin_id] = Entry(plugin=plugin)
            self._id_by_name[plugin.name] = plugin_id

    def _catch_up(self) -> None:
        while self._ahead.pop(self.revision + 1, None) is not None:
            self.revision += 1


def _joined(entries: Iterable[Entry]) -> bytes:
    ordered = sorted(entries, key=lambda entry: entry.plugin.name)
    return b"[" + b",".join(entry.json for entry in ordered) + b"]\n"
