"""What a page is told between two looks."""

from __future__ import annotations

from services.gateway.domain.live_regions import Listing, Regions, changes


def _regions(*rows: str, head: str = '<ul id="l">', part: str = "p") -> Regions:
    items = {row[0]: row for row in rows}
    listing = Listing(head=head, tail="</ul>", items=items)
    return Regions(parts={"p": part}, lists={"l": listing})


def test_nothing() -> None:
    """Of what stayed the same nothing is told."""
    assert changes(_regions("a", "b"), _regions("a", "b")) == []


def test_one_item() -> None:
    """An item that became another is told alone."""
    assert changes(_regions("a", "b"), _regions("a", "b2")) == ["b2"]


def test_items_together() -> None:
    """Items that became others are one piece, for they can be parsed together."""
    assert changes(_regions("a", "b", "c"), _regions("a2", "b", "c2")) == ["a2c2"]


def test_membership() -> None:
    """Where items come, go or change places, the list is told as a whole."""
    for after in (("a",), ("a", "b", "c"), ("b", "a")):
        whole = '<ul id="l">' + "".join(after) + "</ul>"
        assert changes(_regions("a", "b"), _regions(*after)) == [whole]


def test_part() -> None:
    """A part is told when it is another, and a list that is new as a whole."""
    assert changes(_regions("a", part="p"), _regions("a", part="q")) == ["q"]
    assert changes(Regions(), _regions("a")) == ["p", '<ul id="l">a</ul>']


def test_whole() -> None:
    """All of it is its parts and its lists."""
    assert "".join(_regions("a", "b").whole()) == 'p<ul id="l">ab</ul>'
