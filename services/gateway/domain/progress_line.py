"""A job's progress as Docker's stream of JSON messages: its keys, its order, its line ends."""

from __future__ import annotations

from typing import Any, Final

from shared import errdefs
from shared.contracts.job import JobProgress
from shared.oci import go_json

_END: Final = b"\r\n"
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_BAR_CELLS: Final = 50
#: The one message that has an id and is yet about no layer.
_HEADLINE: Final = "Pulling from "


def line(progress: JobProgress) -> bytes:
    """Return the line of a step; what is done to a layer or blob carries `progressDetail`."""
    shown: dict[str, Any] = {}
    if progress.status:
        shown["status"] = progress.status
    if _is_action(progress):
        shown["progressDetail"] = _detail(progress)
        if bar := _bar(progress.current or 0, progress.total or 0):
            shown["progress"] = bar
    if progress.id:
        shown["id"] = progress.id
    if progress.aux is not None:
        shown["aux"] = progress.aux
    return go_json.encode(shown) + _END


def error_line(error: errdefs.Error) -> bytes:
    """Return the last line of a stream that failed."""
    shown = {"errorDetail": {"message": error.message}, "error": error.message}
    return go_json.encode(shown) + _END


def _is_action(progress: JobProgress) -> bool:
    if progress.aux is not None:
        return True
    return bool(progress.id) and not progress.status.startswith(_HEADLINE)


def _detail(progress: JobProgress) -> dict[str, int]:
    counts = {"current": progress.current, "total": progress.total}
    return {key: count for key, count in counts.items() if count}


def _bar(current: int, total: int) -> str:
    """Return Docker's bar and counts, empty where nothing is known."""
    if current <= 0 and total <= 0:
        return ""
    if total <= 0:
        return f"{_size(current):>8}"
    done = min(int(current / total * 100) // 2, _BAR_CELLS)
    box = f"[{'=' * done}>{' ' * (_BAR_CELLS - done)}] "
    counts = f"{_size(current):>8}"
    return f"{box}{counts}" if current > total else f"{box}{counts}/{_size(total)}"


def _size(count: float) -> str:
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.4g}{_UNITS[unit]}"
