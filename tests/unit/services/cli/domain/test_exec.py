"""The frames that output comes in, and the variables that are handed on."""

from __future__ import annotations

import itertools

import pytest

from services.cli.domain.exec import Frames, read_env

_SENT = b"\x01\0\0\0\0\0\0\x03abc" + b"\x02\0\0\0\0\0\0\x02de" + b"\x01\0\0\0\0\0\0\0"


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 100])
def test_frames(size: int) -> None:
    """However it is cut, the output of each stream is whole and in order."""
    frames = Frames()
    pieces = [_SENT[at : at + size] for at in range(0, len(_SENT), size)]
    told = itertools.chain.from_iterable(map(frames.feed, pieces))
    both = {False: b"", True: b""}
    for data, is_error in told:
        both[is_error] += data
    assert both == {False: b"abc", True: b"de"}


def test_variables() -> None:
    """One without a value has that of here; one that is not here is left out."""
    assert read_env(("A=1", "B", "C", "D="), {"B": "2"}) == ("A=1", "B=2", "D=")
