"""The tar a plugin is created from, turned into its config, root file system and layer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared import errdefs
from shared.oci import pack, tar
from shared.oci.digest import Reader
from shared.oci.root import Root
from shared.oci.tar_header import Entry, EntryType
from shared.oci.unpack import (
    DEFAULT_LIMITS,
    Limits,
    Unpacked,
    Unpacker,
    keep_going,
)

_ROOTFS: Final = "rootfs"
_MAX_CONFIG: Final = 4 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What a context held."""

    #: the bytes of config.json, not yet parsed
    config: bytes
    layer: pack.Layer
    unpacked: Unpacked


def unpack_and_pack(
    source: Reader,
    *,
    rootfs: str | Path,
    blob: str | Path,
    limits: Limits = DEFAULT_LIMITS,
    level: int = pack.DEFAULT_LEVEL,
    checkpoint: Callable[[], None] = keep_going,
) -> PluginContext:
    """Read a plain tar once: ``rootfs/`` into the folder *rootfs* and, as a layer, into *blob*.

    Sparse files keep their holes in the folder; the layer has none, as OCI's rules for layers
    ask. *rootfs* must exist and be empty, *blob* must not exist; both stay behind on an error and
    are not fsynced. Of several config.json the last counts; other entries are passed over.
    Plain code for a thread: *checkpoint* is called between entries and blocks, and what it
    raises ends the work. Raises InvalidArgument: ``no rootfs found``, ``config not found``,
    and as ``unpack.unpack`` does; TarError where the tar itself is broken.
    """
    reader = tar.TarReader(_Checked(source, checkpoint), limit=limits.archive)
    with (
        Path(blob).open("xb") as file,
        Root(rootfs) as root,
        pack.LayerWriter(file, level=level) as layer,
    ):
        unpacker = Unpacker(root, honours_whiteouts=True, limits=limits)
        config, has_rootfs = _copy(reader, unpacker, layer, checkpoint)
        reader.drain()
        if not has_rootfs:
            raise errdefs.InvalidArgument("no rootfs found")
        if config is None:
            raise errdefs.InvalidArgument("config not found", docker_unclassed=True)
        return PluginContext(config=config, layer=layer.finish(), unpacked=unpacker.finish())


class _Checked:
    """Reads what *source* holds, stopping where *checkpoint* raises."""

    def __init__(self, source: Reader, checkpoint: Callable[[], None]) -> None:
        self._source = source
        self._checkpoint = checkpoint

    def read(self, size: int, /) -> bytes:
        self._checkpoint()
        return self._source.read(size)


def _copy(
    reader: tar.TarReader,
    unpacker: Unpacker,
    layer: pack.LayerWriter,
    checkpoint: Callable[[], None],
) -> tuple[bytes | None, bool]:
    config: bytes | None = None
    has_rootfs = False
    for entry in reader:
        checkpoint()
        name = tar.clean(entry.name)
        if name == "config.json":
            config = _read_config(entry, reader.chunks())
        elif name == _ROOTFS or name.startswith(f"{_ROOTFS}/"):
            has_rootfs = True
            _copy_entry(_rerooted(entry, name), reader, unpacker, layer, checkpoint)
    return config, has_rootfs


def _copy_entry(
    entry: Entry,
    reader: tar.TarReader,
    unpacker: Unpacker,
    layer: pack.LayerWriter,
    checkpoint: Callable[[], None],
) -> None:
    def write(chunk: memoryview) -> None:
        # A hole costs nothing to send, and as much as anything else to pack.
        checkpoint()
        layer.write(chunk)

    layer.add(entry)
    content = pack.tee(reader.chunks(), write)
    unpacker.add(entry, content)
    for _ in content:  # a whiteout's content is nothing to the unpacker, but it is in the layer
        continue


def _rerooted(entry: Entry, name: str) -> Entry:
    """Take ``rootfs/`` off the name and off a hard link's target, in any case there (Docker)."""
    inside = name[len(_ROOTFS) + 1 :] or "./"
    if entry.type is not EntryType.HARD_LINK:
        return entry._replace(name=inside)
    target = tar.clean(entry.link)
    if target.lower().startswith(f"{_ROOTFS}/"):
        target = target[len(_ROOTFS) + 1 :]
    return entry._replace(name=inside, link=target)


def _read_config(entry: Entry, chunks: Iterator[memoryview]) -> bytes:
    if entry.size > _MAX_CONFIG:
        raise errdefs.InvalidArgument(f"config.json is larger than {_MAX_CONFIG} bytes")
    return b"".join(chunks)
