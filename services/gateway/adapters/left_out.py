"""Which authorization plugins are left out, in a file of the exec root."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import structlog

_FILE: Final = "authorization.json"

log = structlog.get_logger()


class LeftOutFile:
    """ports.LeftOut: outlives a crash of the gateway, and neither its orderly end nor a reboot.

    What can't be read counts as nothing, so that the plugins are asked.
    """

    def __init__(self, exec_root: Path) -> None:
        self._path = exec_root / _FILE
        self._names = self._read()

    def has(self, name: str) -> bool:
        """Tell whether the plugin is left out."""
        return name in self._names

    def add(self, name: str) -> None:
        """Leave it out from now on."""
        self._names.add(name)
        self._write()

    def drop(self, name: str) -> None:
        """Take it in again; safe to repeat."""
        if name in self._names:
            self._names.discard(name)
            self._write()

    def close(self) -> None:
        """Forget all: the next start looks at every plugin anew."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> set[str]:
        try:
            names = json.loads(self._path.read_text())
        except FileNotFoundError:
            return set()
        except (OSError, ValueError) as error:
            log.warning("left out plugins unknown, asking all", path=str(self._path), error=error)
            return set()
        return set(names) if isinstance(names, list) else set()

    def _write(self) -> None:
        draft = self._path.with_name(f".{_FILE}.{os.getpid()}")
        draft.write_text(json.dumps(sorted(self._names)))
        draft.replace(self._path)
