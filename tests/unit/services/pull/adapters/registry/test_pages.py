"""What a Link header says of the next page."""

from __future__ import annotations

import httpx
import pytest

from services.pull.adapters.registry.call import Answer
from services.pull.adapters.registry.pages import LINK_LIMIT, following
from shared import errdefs

_URL = "https://registry.example.com/v2/a/tags/list"


def answer(*links: str) -> Answer:
    headers = httpx.Headers([("Link", link) for link in links])
    return Answer(status=200, headers=headers, body=b"", url=httpx.URL(_URL))


@pytest.mark.parametrize(
    "links",
    [
        ('</v2/a/tags/list?last=b>; rel="next"',),
        ("<?last=b>;rel=next",),
        (f'<{_URL}?last=b> ; title="b" ; REL = "Next"',),
        ('</first>; rel="first", <?last=b>; rel="next"',),
        ('</first>; rel="first"', '<?last=b>; rel="next"'),
        ('< <?last=b>; rel="next"',),
    ],
)
def test_the_next_page_is_found(links: tuple[str, ...]) -> None:
    """It is the address whose relation is next, however it is written."""
    assert following(answer(*links), "tags of a") == f"{_URL}?last=b"


@pytest.mark.parametrize(
    "link",
    [
        "",
        '<?last=b>; rel="prev"',
        '<?last=b>, rel="next"',
        '<?last=b>; <; rel="next"',
        '<https://elsewhere.example.com/>; rel="next"',
    ],
)
def test_there_is_no_next_page(link: str) -> None:
    """Another relation, or another server, is none."""
    assert following(answer(link), "tags of a") is None


@pytest.mark.parametrize("filler", ["<", "<>;", "<>; rel = ", "<>;rel" + " " * 20])
def test_a_link_that_is_too_long_is_refused(filler: str) -> None:
    """It is not searched, whatever it is made of."""
    link = (filler * 65536)[:65536]

    with pytest.raises(errdefs.InvalidArgument, match="a Link of 65536 bytes"):
        following(answer(link), "tags of a")


def test_a_link_as_long_as_allowed_is_read() -> None:
    """The limit leaves room for every address that servers must take."""
    link = '<?last=b>; rel="next"'
    assert following(answer(link.rjust(LINK_LIMIT)), "tags of a") == f"{_URL}?last=b"


@pytest.mark.parametrize("address", ["ftp://x/", "http://[::bad", "http://registry\x7f/"])
def test_a_link_to_no_web_server_is_refused(address: str) -> None:
    """A list that goes on nowhere is an error, as a list that breaks off would look whole."""
    with pytest.raises(errdefs.InvalidArgument, match="a Link that leads nowhere"):
        following(answer(f'<{address}>; rel="next"'), "tags of a")
