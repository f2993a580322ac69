"""Tables for a person, and what stands in their cells."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line per row, the columns below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def cell(value: object) -> str:
    """Write a value; a dash where there is none."""
    return "-" if value is None else str(value)


def duration(seconds: int) -> str:
    """Write a duration with its two largest units: 3d4h, 12m5s, 7s."""
    parts: list[str] = []
    left = max(0, seconds)
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
