"""The last output of deleted containers: a few of them per log, a bounded part of each."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.executor.domain.record import Record

#: Of each container.
_BYTES: Final = 1024 * 1024
#: Containers of one log.
_CONTAINERS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLogs:
    """A folder per log name; of each container its record and its last output."""

    root: Path

    def path(self, record: Record) -> Path:
        """Return the file of a container's last output."""
        return self.root / record.log_name / f"{record.container_id}.log"

    def records(self, log_name: str) -> list[Record]:
        """Return the containers of a log, oldest first."""
        found = [_read(path) for path in (self.root / log_name).glob("*.json")]
        return sorted(
            (record for record in found if record is not None), key=lambda record: record.order
        )

    def keep(self, record: Record, *files: Path) -> None:
        """Keep the last bytes of *files*, oldest first, from the beginning of a line on."""
        if not record.log_name:
            return
        path = self.path(record)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = list(_last_parts(files, _BYTES))
        if not parts:
            return
        with path.open("wb") as kept:
            for file, offset in reversed(parts):
                with file.open("rb") as output:
                    output.seek(offset)
                    if offset:
                        output.readline()  # its beginning is cut off
                    shutil.copyfileobj(output, kept)
        # Last: what has a record is whole.
        path.with_suffix(".json").write_text(record.model_dump_json())
        for old in self.records(record.log_name)[:-_CONTAINERS]:
            self.path(old).with_suffix(".json").unlink()
            self.path(old).unlink(missing_ok=True)

    def delete(self, log_name: str) -> None:
        """Delete all that is kept of a log; none is success."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.root / log_name)


def _last_parts(files: tuple[Path, ...], most: int) -> Iterator[tuple[Path, int]]:
    """Yield the files that hold the last bytes, newest first, and where in them to begin."""
    left = most
    for file in reversed(files):
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            continue
        if size and left:
            yield file, max(0, size - left)
            left = max(0, left - size)


def _read(path: Path) -> Record | None:
    try:
        return Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
