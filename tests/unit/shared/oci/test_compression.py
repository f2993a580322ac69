"""Layers as registries keep them: what compressed them is told by their first bytes."""

from __future__ import annotations

import io
import struct

import pytest
import zstandard

from shared.oci.compression import decompressed

_TEXT = b"a layer" * 1000


def _skippable(number: int, size: int) -> bytes:
    """Return a frame that decompresses to nothing (RFC 8878, section 3.1.2)."""
    return struct.pack("<II", 0x184D2A50 + number, size) + bytes(size)


def _whole(data: bytes) -> bytes:
    reader = decompressed(io.BytesIO(data))
    return b"".join(iter(lambda: reader.read(1000), b""))


@pytest.mark.parametrize("number", [0, 15])
@pytest.mark.parametrize("size", [0, 4, 300_000])
def test_a_zstd_layer_may_begin_with_a_skippable_frame(number: int, size: int) -> None:
    """Any of the sixteen kinds is passed over, before each frame, as pzstd writes them."""
    frame = _skippable(number, size) + zstandard.compress(_TEXT)

    assert _whole(frame + frame) == _TEXT + _TEXT


@pytest.mark.parametrize("head", [b"", b"\x28\xb5", b"\x4f\x2a\x4d\x18", b"\x60\x2a\x4d\x18"])
def test_what_only_looks_alike_is_as_it_is(head: bytes) -> None:
    """Four other bytes, or fewer, are no compressed layer."""
    assert _whole(head) == head
