"""The parts of a page that change by themselves, and what differs between two looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list whose items come, go and change one by one."""

    #: The element that holds the items.
    tag: str
    element_id: str
    css_class: str = ""
    #: HTML by the items' ids, in order.
    items: Mapping[str, str]

    def whole(self) -> str:
        """Return the list with all its items."""
        css_class = f' class="{self.css_class}"' if self.css_class else ""
        return self._held(css_class, self.items.values())

    def arranged(self, items: Iterable[str]) -> str:
        """Return some items, and the order in which all are to stand."""
        return self._held(f' data-order="{" ".join(self.items)}"', items)

    def _held(self, attributes: str, items: Iterable[str]) -> str:
        head = f'<{self.tag} id="{self.element_id}"{attributes}>'
        return "".join((head, *items, f"</{self.tag}>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Parts of a page, each HTML whose outermost element bears the part's id."""

    parts: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Listing] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return how many items there are."""
        return sum(len(listing.items) for listing in self.lists.values())

    def whole(self) -> Iterator[str]:
        """Yield all of it."""
        yield from self.parts.values()
        for listing in self.lists.values():
            yield listing.whole()


def changes(before: Regions, now: Regions) -> list[str]:
    """Return the HTML of what is another now; an element replaces the one with its id.

    Each piece is to be parsed by itself: rows of a table mean nothing behind a paragraph.
    """
    told = [html for name, html in now.parts.items() if before.parts.get(name) != html]
    for name, listing in now.lists.items():
        told += _list_changes(before.lists.get(name), listing)
    return told


def _list_changes(before: Listing | None, now: Listing) -> list[str]:
    if before is None:
        return [now.whole()]
    told = [html for name, html in now.items.items() if before.items.get(name) != html]
    # Where an item stands can't be said by the item alone.
    if [*before.items] != [*now.items]:
        return [now.arranged(told)]
    return ["".join(told)] if told else []
