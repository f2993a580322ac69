"""Which plugins are left out, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.adapters.left_out import LeftOutFile


def test_a_crash_forgets_nothing(tmp_path: Path) -> None:
    """What one process has left out, the next one finds."""
    kept = LeftOutFile(tmp_path)
    kept.add("a")
    kept.add("b")
    kept.drop("b")
    kept.drop("never there")
    found = LeftOutFile(tmp_path)
    assert (found.has("a"), found.has("b")) == (True, False)
    assert [path.name for path in tmp_path.iterdir()] == ["authorization.json"]


def test_an_orderly_end_forgets_all(tmp_path: Path) -> None:
    """Whoever starts anew looks at every plugin anew."""
    kept = LeftOutFile(tmp_path)
    kept.add("a")
    kept.close()
    kept.close()
    assert not LeftOutFile(tmp_path).has("a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"a":1}', b"\xff", b"1"])
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    """A spoiled file leaves nobody out."""
    (tmp_path / "authorization.json").write_bytes(content)
    assert not LeftOutFile(tmp_path).has("a")
