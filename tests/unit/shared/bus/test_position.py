"""Where streams begin and end."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from shared.bus.position import Ends, order, read_ends


def test_ids_compare_as_numbers() -> None:
    """Text order would put 10 before 9; a missing second part is 0."""
    assert order("10-0") > order("9-5")
    assert order("9-10") > order("9-9")
    assert order("9") == order("9-0")


def test_a_stream_that_is_not_there_is_empty() -> None:
    """It will begin anew."""
    assert read_ends(ResponseError("no such key")) == Ends(first=None, last="0-0")


def test_another_refusal_is_raised() -> None:
    """A key of another kind is a fault to be seen."""
    with pytest.raises(ResponseError):
        read_ends(ResponseError("WRONGTYPE"))


def test_the_ends_are_the_first_entry_and_the_last_id() -> None:
    """The last id counts also when its entry is gone."""
    info = [b"length", 1, b"last-generated-id", b"7-0", b"first-entry", [b"3-0", [b"a", b"1"]]]

    assert read_ends(info) == Ends(first="3-0", last="7-0")
    info[-1] = None
    assert read_ends(info) == Ends(first=None, last="7-0")
