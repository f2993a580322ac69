"""A process that is put beside a plugin's own, and the frames that its output comes in."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_HEAD: Final = struct.Struct(">BxxxL")
_STDERR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a terminal, in characters."""

    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecWish:
    """What is to be run; what is empty is as the plugin's own."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    cwd: str = ""
    tty: bool = False
    stdin: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the gateway takes it."""
        return dataclasses.asdict(self)


def read_env(given: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables; one without a value has that of here, or is left out, as in Docker."""
    pairs = (one if "=" in one else f"{one}={environ.get(one, chr(0))}" for one in given)
    return tuple(pair for pair in pairs if not pair.endswith("\0"))


class Frames:
    """Takes output apart that comes in pieces."""

    def __init__(self) -> None:
        self._left = 0
        self._is_error = False
        self._head = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield output, and whether it is of standard error."""
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                yield piece, self._is_error
                continue
            missing = _HEAD.size - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == _HEAD.size:
                stream, self._left = _HEAD.unpack(self._head)
                self._is_error, self._head = stream == _STDERR, b""
