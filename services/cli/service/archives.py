"""`wherry plugin save` and `load`: plugins without a registry."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from services.cli.domain.archive import Archive, ArchivedPlugin, chosen
from services.cli.domain.job import Job
from services.cli.ports import Api
from services.cli.service.granting import Consent
from shared import errdefs
from shared.disk import sync_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Writes and loads archives; all raise what the node answers."""

    api: Api
    consent: Consent

    def save(self, names: Sequence[str], target: IO[bytes]) -> None:
        """Write plugins to an open file."""
        target.writelines(self.api.save(names))

    def save_to(self, names: Sequence[str], path: Path) -> None:
        """Write plugins to a file, which is there whole or as it was before.

        Links are followed. A device or a pipe is written to as it is; a folder is refused.
        """
        if os.path.isdir(path):  # noqa: PTH112 - Path's raises where it may not look
            raise errdefs.InvalidArgument(f"cannot write {path}: it is a folder: name a file in it")
        chunks = self.api.save(names)
        first = next(chunks, b"")  # what is refused leaves no file
        whole = itertools.chain((first,), chunks)
        try:
            if path.exists() and not path.is_file():
                with path.open("wb") as target:
                    target.writelines(whole)
            else:
                _replace(Path(os.path.realpath(path)), whole)
        except OSError as error:
            raise errdefs.InvalidArgument(f"cannot write {path}: {error.strerror}") from error

    def load(
        self, source: IO[bytes], names: Sequence[str], alias: str
    ) -> Iterator[Callable[[], Job]]:
        """Bring an archive; yield what begins the job of each plugin granted what it needs."""
        archive = self.api.bring(source)
        try:
            for plugin in chosen(archive, names, alias):
                yield self._granted(archive, plugin, alias)
        finally:
            self.api.drop(archive.archive_id)

    def _granted(self, archive: Archive, plugin: ArchivedPlugin, alias: str) -> Callable[[], Job]:
        remote = plugin.name or alias
        if plugin.privileges and not self.consent(remote, plugin.privileges):
            raise errdefs.PermissionDenied(
                f"{remote} was not granted what it needs; it was not loaded"
            )
        body = {
            "archive_id": archive.archive_id,
            "digest": plugin.digest,
            "remote": remote,
            "name": alias,
            "privileges": [dataclasses.asdict(one) for one in plugin.privileges],
        }
        return partial(self.api.load, body)


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as target:
            target.writelines(chunks)
        sync_file(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    with contextlib.suppress(PermissionError):  # a folder that is for writing alone
        sync_file(path.parent)
