"""What a page is told between two looks."""

from __future__ import annotations

import pytest

from services.gateway.domain.live_regions import Listing, Regions, changes


def _regions(*rows: str, part: str = "p") -> Regions:
    listing = Listing(tag="ul", element_id="l", items={row[0]: row for row in rows})
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


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(("a",), '<ul id="l" data-order="a"></ul>', id="gone"),
        pytest.param(("a", "b", "c"), '<ul id="l" data-order="a b c">c</ul>', id="new"),
        pytest.param(("b", "a"), '<ul id="l" data-order="b a"></ul>', id="moved"),
        pytest.param(("c", "b2"), '<ul id="l" data-order="c b">cb2</ul>', id="all of it"),
    ],
)
def test_order(after: tuple[str, ...], told: str) -> None:
    """Where items come, go or change places, the order is told, and items that are others."""
    assert changes(_regions("a", "b"), _regions(*after)) == [told]


def test_part() -> None:
    """A part is told when it is another, and a list that is new as a whole."""
    assert changes(_regions("a", part="p"), _regions("a", part="q")) == ["q"]
    assert changes(Regions(), _regions("a")) == ["p", '<ul id="l">a</ul>']


def test_whole() -> None:
    """All of it is its parts and its lists."""
    assert "".join(_regions("a", "b").whole()) == 'p<ul id="l">ab</ul>'


def test_class() -> None:
    """A list's class is written where all of it is told, and is not touched later."""
    listing = Listing(tag="ul", element_id="l", css_class="tiles", items={"a": "a"})
    assert listing.whole() == '<ul id="l" class="tiles">a</ul>'
    assert listing.arranged(["a"]) == '<ul id="l" data-order="a">a</ul>'


def test_size() -> None:
    """A page is as large as its lists."""
    assert _regions("a", "b").size == 2
    assert Regions(parts={"p": "p"}).size == 0
