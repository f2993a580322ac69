"""Values of queries, read as dockerd reads them."""

from __future__ import annotations

import re
from typing import Final

from shared import errdefs
from shared.oci import go_json

_FALSE = frozenset({"", "0", "no", "false", "none"})
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64_MAX: Final = 2**63 - 1


def is_true(value: str) -> bool:
    """Read a boolean: a few words are false, everything else is true."""
    return value.strip().lower() not in _FALSE


def to_int(value: str, *, function: str) -> int:
    """Read a 64-bit integer; raises InvalidArgument in the words of Go's strconv.*function*.

    dockerd gives these errors no class, so they answer 500 there.
    """
    if not _INTEGER.fullmatch(value):
        raise _refused(value, function, "invalid syntax")
    # Longer than any int64, and Python refuses to convert very long ones.
    number = int(value) if len(value.lstrip("+-").lstrip("0")) < 20 else _INT64_MAX + 1
    if not -_INT64_MAX - 1 <= number <= _INT64_MAX:
        raise _refused(value, function, "value out of range")
    return number


def _refused(value: str, function: str, why: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(
        f"strconv.{function}: parsing {go_json.quote(value)}: {why}", docker_unclassed=True
    )
