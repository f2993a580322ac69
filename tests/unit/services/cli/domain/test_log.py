"""Output as it is written for a person."""

from __future__ import annotations

from collections.abc import Mapping

from services.cli.domain.log import LogEntry, LogText

_LINE = {"time_ns": 1, "stream": "stdout", "text": "x"}


def _text(*entries: Mapping[str, object], timestamps: bool = False) -> list[tuple[str, bool]]:
    text = LogText(timestamps=timestamps)
    return [text.write(LogEntry.from_json({"container_id": "c-1", **e})) for e in entries]


def test_streams() -> None:
    """Errors go to standard error, all else to standard output."""
    assert _text({"line": _LINE}, {"line": {**_LINE, "stream": "stderr"}}) == [
        ("x\n", False),
        ("x\n", True),
    ]


def test_pieces_are_one_line() -> None:
    """The pieces of a line are written as one, with the time at its beginning only."""
    piece = {"line": {**_LINE, "partial": True}}
    assert _text(piece, {"line": _LINE}, timestamps=True) == [
        ("1970-01-01T00:00:00.000000001Z x", False),
        ("x\n", False),
    ]


def test_marks() -> None:
    """An end is told, and a beginning unless it is the first thing that is shown."""
    began, ended = {"started_at_ns": 1}, {"exit": {"exit_code": 3, "exited_at_ns": 1}}
    killed = {"exit": {"exit_code": 137, "oom_killed": True}}
    unknown = {"exit": {"exit_code": None}}
    told = [text for text, _ in _text(began, ended, began, killed, unknown)]
    assert told == [
        "",
        "--- c-1 exited with code 3 ---\n",
        "--- c-1 started ---\n",
        "--- c-1 was killed by the kernel: out of memory ---\n",
        "--- c-1 ended; its exit code is unknown ---\n",
    ]
