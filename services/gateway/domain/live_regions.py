"""The parts of a page that change by themselves, and what differs between two looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list whose items come, go and change one by one; *head* bears the list's id."""

    head: str
    tail: str
    #: HTML by the items' ids, in order.
    items: Mapping[str, str]

    def whole(self) -> str:
        """Return the list with all its items."""
        return "".join((self.head, *self.items.values(), self.tail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Parts of a page, each HTML whose outermost element bears the part's id."""

    parts: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Listing] = field(default_factory=dict)

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
    # Where an item stands can't be said by the item alone.
    if before is None or [*before.items] != [*now.items] or before.head != now.head:
        return [now.whole()]
    told = "".join(html for name, html in now.items.items() if before.items[name] != html)
    return [told] if told else []
