"""Contexts of plugins: the sample plugin, padded to the size that a row says."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from tests.bench.failure import BenchFailed

_PLUGIN = Path(__file__).parents[2] / "deploy" / "plugins" / "quota-volume"
MB = 1_000_000
#: Of 100 MB.
_SMALL_FILES = 8_000
_LARGE_FILES = 4
#: Large against gzip's window of 32 KiB, so that files do not repeat one another within it.
_TEXT_BYTES = 4 * MB

#: Its path below the rootfs, and what it holds.
File = tuple[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Makes tars around the built plugin."""

    config: bytes
    program: bytes
    text: bytes

    @classmethod
    def built(cls, folder: Path) -> Self:
        """Build the sample plugin into *folder*."""
        command = ["make", "-s", "-C", str(_PLUGIN), "context", f"OUT={folder}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise BenchFailed(f"cannot build {_PLUGIN.name}: {done.stderr.strip()}")
        return cls(
            config=(folder / "config.json").read_bytes(),
            program=(folder / "rootfs" / "quota-volume").read_bytes(),
            text=_text(),
        )

    def small(self, tag: str) -> bytes:
        """Return the plugin as it is; *tag* makes its content one of its kind."""
        return self._context([("tag", tag.encode())])

    def one_mb(self, tag: str) -> bytes:
        """Return the plugin with as much text beside it as makes 1 MB."""
        text = self.text[: MB - len(self.program) - len(tag)]
        return self._context([("text", tag.encode() + text)])

    def many_files(self, tag: str, size: int = 100 * MB) -> bytes:
        """Return the plugin with small files of *size* bytes in all, a hundred a folder."""
        return self._context(self.small_files(tag, size))

    def small_files(self, tag: str, size: int) -> Iterator[File]:
        """Yield files of 1 to 25,000 bytes, of *size* bytes in all, a hundred a folder."""
        dice = random.Random(tag)
        count = round(_SMALL_FILES * size / (100 * MB))
        for number in range(count):
            length = dice.randint(1, 2 * size // count)
            begin = dice.randrange(len(self.text) - length)
            yield f"data/{number // 100}/{number}", self.text[begin : begin + length]

    def large_files(self, tag: str, size: int) -> Iterator[File]:
        """Yield four files of *size* bytes in all."""
        length = size // _LARGE_FILES
        text = self.text * (length // len(self.text) + 1)
        for number in range(_LARGE_FILES):
            name = f"{tag}-{number}".encode()
            yield f"data/{number}", name + text[: length - len(name)]

    def write_rootfs(self, to: BinaryIO, files: Iterable[File]) -> None:
        """Write the plugin and *files* as a tar, a layer before it is compressed."""
        with tarfile.open(fileobj=to, mode="w|") as tar:
            self._add_rootfs(tar, "", files)

    def _context(self, files: Iterable[File]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            _add(tar, "config.json", self.config, 0o644)
            self._add_rootfs(tar, "rootfs/", files)
        return buffer.getvalue()

    def _add_rootfs(self, tar: tarfile.TarFile, prefix: str, files: Iterable[File]) -> None:
        # dockerd makes no mount point in the rootfs.
        _add_folders(tar, f"{prefix}var/lib/quota-volume")
        _add(tar, f"{prefix}quota-volume", self.program, 0o755)
        for name, content in files:
            _add(tar, f"{prefix}{name}", content, 0o644)


def _add_folders(tar: tarfile.TarFile, path: str) -> None:
    parts = Path(path).parts
    for depth in range(1, len(parts) + 1):
        info = tarfile.TarInfo("/".join(parts[:depth]))
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def _text() -> bytes:
    """Return text that shrinks to a third, as programs and their libraries do; always the same."""
    dice = random.Random(1)
    words = [dice.randbytes(dice.randint(1, 5)).hex().encode() for _ in range(5_000)]
    text = b" ".join(dice.choices(words, k=_TEXT_BYTES // 6))
    return text[:_TEXT_BYTES]
