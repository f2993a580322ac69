"""What the lease has, read and written."""

from __future__ import annotations

import pytest

from services.controller.domain.term import Holder


def test_a_holder_is_read_as_it_was_written() -> None:
    """Term, node and process come back."""
    holder = Holder(term=7, node="n1", process="controller-1-ab")

    assert Holder.parse(str(holder)) == holder


@pytest.mark.parametrize("text", ["", "x", "x n1 p", "1", "1 n1"])
def test_what_is_no_holder_is_none(text: str) -> None:
    """Whatever else stands in the key holds nothing."""
    assert Holder.parse(text) is None
