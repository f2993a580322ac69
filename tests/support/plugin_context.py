"""Contexts of plugins for tests: a config.json, and a rootfs with one small static program."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.containers import compile_program

#: What a plugin does that answers and ends when told; see programs/container.c.
ANSWERS = ("term=0", "listen=/run/docker/plugins/p.sock")

#: A tar entry and its content.
Entry = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Makes contexts around the program."""

    program: bytes

    @classmethod
    def compiled(cls, folder: Path) -> Contexts:
        """Compile the program in *folder*."""
        return cls(program=compile_program(folder).read_bytes())

    def config(self, *does: str, **keys: Any) -> dict[str, Any]:
        """Return the config of a plugin that *does* these things; *keys* come on top."""
        return {
            "description": "a plugin under test",
            "entrypoint": ["/bin/program", *(does or ANSWERS)],
            "interface": {"types": ["docker.dummy/1.0"], "socket": "p.sock"},
            **keys,
        }

    def tar(self, *does: str, **keys: Any) -> bytes:
        """Return the context of a plugin as a tar."""
        return self.tar_with((), *does, **keys)

    def tar_with(self, files: Sequence[Entry], *does: str, **keys: Any) -> bytes:
        """Return such a tar with *files* beside what is needed."""
        return tar_of(
            folder("rootfs"),
            folder("rootfs/bin"),
            file("rootfs/bin/program", self.program, mode=0o755),
            *files,
            file("config.json", json.dumps(self.config(*does, **keys)).encode()),
        )

    def write(self, to: Path, *does: str, **keys: Any) -> Path:
        """Write the context of a plugin into a folder, and return that."""
        with tarfile.open(fileobj=io.BytesIO(self.tar(*does, **keys))) as tar:
            # Python 3.11.2, which Debian 12 has, knows no filters.
            tar.extraction_filter = getattr(tarfile, "tar_filter", None)
            tar.extractall(to)  # noqa: S202 - our own
        return to


def folder(name: str) -> Entry:
    """Return an entry for a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info, b""


def file(name: str, content: bytes = b"", *, mode: int = 0o644) -> Entry:
    """Return an entry for a file."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(content)
    return info, content


def special(name: str, kind: bytes, *, link: str = "", device: Sequence[int] = (0, 0)) -> Entry:
    """Return an entry of another kind, such as tarfile.SYMTYPE."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.devmajor, info.devminor = device
    return info, b""


def tar_of(*entries: Entry) -> bytes:
    """Return a plain tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
