"""Sealed boxes."""

from __future__ import annotations

import base64

import pytest

from shared import errdefs
from shared.contracts.job import Sealed
from shared.sealing import Opener, new_key, public_bytes, seal


def test_what_is_sealed_opens_for_its_subject() -> None:
    """The owner of the key gets the very bytes back."""
    key = new_key()
    sealed = seal(public_bytes(key), b'{"username":"u"}', "job-1")
    assert Opener(key).open(sealed, "job-1") == b'{"username":"u"}'


def test_a_box_shows_nothing_and_never_looks_the_same_twice() -> None:
    """The secret is not in the box, and two boxes of one secret differ."""
    public = public_bytes(new_key())
    first, second = (seal(public, b"secret-secret", "job-1").box for _ in range(2))
    assert b"secret" not in base64.b64decode(first)
    assert first != second


def test_another_subject_does_not_open() -> None:
    """A box that was taken from one job's message is useless in another's."""
    key = new_key()
    sealed = seal(public_bytes(key), b"secret", "job-1")
    with pytest.raises(
        errdefs.InvalidArgument, match=r"does not open for 'job-2'.*send the request"
    ):
        Opener(key).open(sealed, "job-2")


def test_another_key_does_not_open() -> None:
    """Only the node that it was sealed to opens a box."""
    sealed = seal(public_bytes(new_key()), b"secret", "job-1")
    with pytest.raises(errdefs.InvalidArgument, match="does not open"):
        Opener(new_key()).open(sealed, "job-1")


@pytest.mark.parametrize("box", ["", "AAAA", "not base64!", base64.b64encode(bytes(99)).decode()])
def test_rubbish_does_not_open(box: str) -> None:
    """What is no box is refused in the same words."""
    with pytest.raises(errdefs.InvalidArgument, match="does not open"):
        Opener(new_key()).open(Sealed(box=box), "job-1")


def test_a_changed_box_does_not_open() -> None:
    """One flipped bit is noticed."""
    key = new_key()
    box = bytearray(base64.b64decode(seal(public_bytes(key), b"secret", "s").box))
    box[-1] ^= 1
    with pytest.raises(errdefs.InvalidArgument, match="does not open"):
        Opener(key).open(Sealed(box=base64.b64encode(box).decode()), "s")


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    """Neither end takes bytes that are no key."""
    with pytest.raises(errdefs.InvalidArgument, match="X25519"):
        seal(key, b"secret", "s")
    with pytest.raises(errdefs.InvalidArgument, match="X25519"):
        Opener(key)


def test_what_was_sealed_to_the_key_before_still_opens() -> None:
    """Of two keys the present one is tried first, and the one before after it."""
    before, present, other = new_key(), new_key(), new_key()
    opener = Opener(present, before)

    for key in (before, present):
        assert opener.open(seal(public_bytes(key), b"secret", "s"), "s") == b"secret"
    with pytest.raises(errdefs.InvalidArgument, match="does not open"):
        opener.open(seal(public_bytes(other), b"secret", "s"), "s")
