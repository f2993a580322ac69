"""The node's keys on disk."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared import errdefs
from shared.sealing import SECRETS, NodeOpener, Opener, load_or_make_key, read_public_key, seal


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The second start finds the key of the first, and the public half fits it."""
    key = load_or_make_key(tmp_path)
    assert load_or_make_key(tmp_path) == key
    assert Opener(key).open(seal(read_public_key(tmp_path), b"secret", "s"), "s") == b"secret"


def test_the_private_half_is_for_its_owner_alone(tmp_path: Path) -> None:
    """A lax umask opens nothing, a strict one closes nothing."""
    before = os.umask(0)
    try:
        load_or_make_key(tmp_path)
    finally:
        os.umask(before)
    assert _mode(tmp_path / "keys") == 0o700
    assert _mode(tmp_path / "keys" / "seal.key") == 0o600
    assert _mode(tmp_path / "keys" / "seal.pub") == 0o644


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    """What is written first under another name is gone afterwards."""
    load_or_make_key(tmp_path)
    load_or_make_key(tmp_path)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["seal.key", "seal.pub"]


def test_two_that_start_at_once_agree(tmp_path: Path) -> None:
    """Of keys made at the same time one wins, and all use it."""
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_make_key(tmp_path), range(16)))
    assert len(keys) == 1


def test_a_broken_key_is_named(tmp_path: Path) -> None:
    """A file that holds no key is not replaced behind the operator's back."""
    load_or_make_key(tmp_path)
    (tmp_path / "keys" / "seal.key").write_bytes(b"torn")
    with pytest.raises(errdefs.InvalidArgument, match=r"seal\.key.*delete the file"):
        load_or_make_key(tmp_path)


def test_a_missing_public_key_says_who_makes_it(tmp_path: Path) -> None:
    """Before the pull service was ever started there is no key to seal for."""
    with pytest.raises(errdefs.Unavailable, match="pull for credentials"):
        read_public_key(tmp_path)


def test_a_rotation_makes_a_new_key_and_keeps_the_one_before(tmp_path: Path) -> None:
    """What was on its way is opened; what was sealed two keys ago is not."""
    opener = NodeOpener(tmp_path)
    first = seal(read_public_key(tmp_path), b"first", "s")

    opener.rotate()
    second = seal(read_public_key(tmp_path), b"second", "s")

    assert (opener.open(first, "s"), opener.open(second, "s")) == (b"first", b"second")
    assert NodeOpener(tmp_path).open(first, "s") == b"first"
    opener.rotate()
    assert opener.open(second, "s") == b"second"
    with pytest.raises(errdefs.InvalidArgument):
        opener.open(first, "s")
    assert _mode(tmp_path / "keys" / "seal.key.old") == 0o600


def test_a_rotation_that_was_cut_short_loses_nothing(tmp_path: Path) -> None:
    """Between the new private key and its public half, what is sealed opens with the old one."""
    opener = NodeOpener(tmp_path)
    public = (tmp_path / "keys" / "seal.pub").read_bytes()
    opener.rotate()
    (tmp_path / "keys" / "seal.pub").write_bytes(public)

    sealed = seal(read_public_key(tmp_path), b"secret", "s")

    again = NodeOpener(tmp_path)
    assert again.open(sealed, "s") == b"secret"
    assert read_public_key(tmp_path) != public


def test_two_purposes_have_two_keys(tmp_path: Path) -> None:
    """Whoever opens credentials opens no secrets."""
    credentials, secrets = NodeOpener(tmp_path), NodeOpener(tmp_path, SECRETS)
    sealed = seal(read_public_key(tmp_path, SECRETS), b"secret", "s")

    assert secrets.open(sealed, "s") == b"secret"
    with pytest.raises(errdefs.InvalidArgument):
        credentials.open(sealed, "s")
