"""ports.Tokens: the file that `wherry token` writes, read again when it was changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog

from shared import errdefs
from shared.access import Token, TokenFile

log = structlog.get_logger()

#: Whatever tells one content from the next.
_State = tuple[int, int, int]


class TokensOnDisk:
    """A file that is wrong holds no token, until it is right again."""

    def __init__(self, path: Path, *, is_named: bool) -> None:
        """Take a file that must be there where it *is_named* by a setting."""
        self._path = path
        self._is_named = is_named
        self._state: _State | None = None
        self._file = TokenFile()
        self._problem = ""

    def check(self) -> None:
        """Raise InvalidArgument for a file that is named and can't be used."""
        self._read_if_changed()
        if self._problem and (self._is_named or self._state is not None):
            raise errdefs.InvalidArgument(self._problem)

    @property
    def are_asked_for(self) -> bool:
        """Tell whether the node has tokens: then it lets nobody in over TCP without one."""
        self._read_if_changed()
        return self._is_named or self._state is not None

    def find(self, shown: str) -> Token | None:
        """Return the token that was shown; None for one that is not, or no more, of the node."""
        self._read_if_changed()
        return self._file.find(shown)

    def _read_if_changed(self) -> None:
        try:
            found = self._path.stat()
        except OSError as error:
            self._state, self._file = None, TokenFile()
            self._problem = f"the tokens in {self._path} can't be read: {error.strerror}"
            return
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
        if state != self._state:
            self._state = state
            self._read(found)

    def _read(self, found: os.stat_result) -> None:
        self._problem, self._file = "", TokenFile()
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (0, os.getuid()):
            self._problem = (
                f"{self._path} can be written by others than root, who could let themselves in: "
                f"chown root and chmod 600 {self._path}"
            )
        else:
            try:
                self._file = TokenFile.parse(self._path.read_bytes())
            except (errdefs.InvalidArgument, OSError) as error:
                self._problem = (
                    f"{self._path} holds no tokens: {error}; `wherry token create` writes the file"
                )
        if self._problem:
            log.error("no token lets anybody in", reason=self._problem)
