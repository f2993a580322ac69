"""The log format of Kubernetes (CRI), as conmon writes it: `<time> <stream> <P|F> <text>`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from shared.contracts.executor import LogLine

_SECOND_NS = 1_000_000_000


def parse(raw: bytes) -> tuple[LogLine, bool] | None:
    """Return a line and whether it is whole, or None for what conmon did not finish writing."""
    fields = raw.rstrip(b"\n").split(b" ", 3)
    if len(fields) != 4 or fields[2] not in {b"P", b"F"}:
        return None
    try:
        time_ns = _time_ns(fields[0].decode("ascii"))
    except ValueError:
        return None
    stream = fields[1].decode("ascii", "replace")
    text = fields[3].decode("utf-8", "replace")
    return LogLine(time_ns=time_ns, stream=stream, text=text), fields[2] == b"F"


def is_whole(raw: bytes) -> bool:
    """Tell whether a line ends here, and does not go on in the next entry."""
    fields = raw.split(b" ", 3)
    return len(fields) == 4 and fields[2] == b"F"


def join_partials(raw_lines: Iterable[bytes]) -> Iterator[LogLine]:
    """Yield whole lines in order, joining the pieces of long ones per stream."""
    pending: dict[str, LogLine] = {}
    for raw in raw_lines:
        parsed = parse(raw)
        if parsed is None:
            continue
        line, whole = parsed
        begun = pending.pop(line.stream, None)
        if begun is not None:
            line = begun.model_copy(update={"text": begun.text + line.text})
        if whole:
            yield line
        else:
            pending[line.stream] = line
    yield from pending.values()


def _time_ns(text: str) -> int:
    # datetime has microseconds: the nanoseconds between the dot and the zone are taken apart.
    seconds, _, rest = text.partition(".")
    digits = rest[:9]
    whole = datetime.fromisoformat(seconds + rest[9:])
    return int(whole.timestamp()) * _SECOND_NS + int(digits.ljust(9, "0"))
