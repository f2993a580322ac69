"""What the collector says to a person."""

from __future__ import annotations

from services.cli.domain.garbage import Garbage


def test_a_dry_run_says_that_nothing_was_deleted() -> None:
    """The blobs are listed, then counted in words that say whether they are gone."""
    answer = {"digests": ["sha256:aa", "sha256:bb"], "size_bytes": 12, "deleted": False}

    told = Garbage.from_json(answer).to_text()
    gone = Garbage.from_json({**answer, "digests": ["sha256:aa"], "deleted": True}).to_text()

    assert told == "sha256:aa\nsha256:bb\nwould delete 2 blobs, 12 bytes"
    assert gone == "sha256:aa\ndeleted 1 blob, 12 bytes"


def test_nothing_to_delete_is_said() -> None:
    """An empty answer is a line, not silence."""
    answer = {"digests": [], "size_bytes": 0, "deleted": True}

    assert Garbage.from_json(answer).to_text() == "deleted 0 blobs, 0 bytes"
