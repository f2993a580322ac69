"""OCI image layouts as archives: a tar with oci-layout, index.json and blobs by digest.

Written in one pass; read in place, without unpacking anything: what lies in an archive is found
by its name, and only plain files are found.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from shared import errdefs
from shared.oci import manifest as oci_manifest
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, Digester, Reader, verify
from shared.oci.manifest import Index, Manifest
from shared.oci.tar import TarReader
from shared.oci.tar_header import EntryType, TarError

#: Annotation of an entry of index.json: what it is called.
REF_NAME: Final = "org.opencontainers.image.ref.name"
LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
INDEX: Final = "index.json"
_LAYOUT_FILE: Final = "oci-layout"
_BLOCK: Final = tarfile.BLOCKSIZE
#: Far above any real ones: what is read into memory, and what is looked through.
_SMALL: Final = 8 << 20
_MOST_FILES: Final = 100_000


def blob_name(digest: Digest) -> str:
    """Return where a blob lies in a layout."""
    return f"blobs/sha256/{digest.hex}"


def index_json(entries: Mapping[str, Descriptor]) -> bytes:
    """Return index.json for manifests by name."""
    manifests = [
        {
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": entry.size,
            "annotations": {REF_NAME: name},
        }
        for name, entry in entries.items()
    ]
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
    return json.dumps(index, separators=(",", ":")).encode()


def head(name: str, size: int) -> bytes:
    """Return what stands before a file in a tar; always the same for the same file."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT if size < 8 << 30 else tarfile.GNU_FORMAT)


def padding(size: int) -> bytes:
    """Return what stands behind a file of that size."""
    return bytes(-size % _BLOCK)


def folder(name: str) -> bytes:
    """Return the entry of a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.USTAR_FORMAT)


#: The end of a tar.
END: Final = bytes(2 * _BLOCK)


class Archive:
    """An open archive; raises InvalidArgument for what is none, or not what it says.

    Not for use by two threads at a time, but for `pread`.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with os.fdopen(os.dup(self._fd), "rb") as file:
                self._files = dict(_files(file))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def entries(self) -> tuple[Descriptor, ...]:
        """Return what index.json lists."""
        if _LAYOUT_FILE not in self._files:
            raise _broken("it has no file oci-layout; an archive of `docker save` is none of OCI's")
        layout = _json(self._small(_LAYOUT_FILE), _LAYOUT_FILE)
        if not str(layout.get("imageLayoutVersion", "")).startswith("1."):
            raise _broken("its oci-layout is of a version other than 1")
        index = oci_manifest.parse(self._small(INDEX), media_types.OCI_INDEX)
        if not isinstance(index, Index):
            raise _broken("its index.json is no index")
        return index.manifests

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob; None where there is none."""
        found = self._files.get(blob_name(digest))
        return None if found is None else found[1]

    def small(self, descriptor: Descriptor) -> bytes:
        """Return a manifest or a config, its digest and size checked."""
        data = self._small(blob_name(descriptor.digest))
        digester = Digester()
        digester.update(data)
        verify(digester, digest=descriptor.digest, size=descriptor.size)
        return data

    def manifest(self, descriptor: Descriptor) -> Manifest | Index:
        """Return what a descriptor of a manifest or an index stands for."""
        return oci_manifest.parse(self.small(descriptor), descriptor.media_type)

    def pread(self, digest: Digest, size: int, offset: int) -> bytes:
        """Return a part of a blob, less than *size* only at its end; raises NotFound."""
        begin, whole = self._find(blob_name(digest))
        return os.pread(self._fd, max(0, min(size, whole - offset)), begin + offset)

    def _small(self, name: str) -> bytes:
        begin, size = self._find(name)
        if size > _SMALL:
            raise _broken(f"{name} has {size} bytes, and {_SMALL} are allowed")
        return os.pread(self._fd, size, begin)

    def _find(self, name: str) -> tuple[int, int]:
        try:
            return self._files[name]
        except KeyError:
            raise errdefs.NotFound(
                f"the archive holds no {name}: it is not whole; save it again"
            ) from None


def _files(file: Reader) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the plain files of a tar, and where they lie; of two with a name the last counts."""
    tar = TarReader(file)
    try:
        for count, entry in enumerate(tar):
            if count >= _MOST_FILES:
                raise _broken(f"it has more than {_MOST_FILES} files")
            offset = tar.content_offset
            if entry.type is EntryType.REGULAR and offset is not None:
                yield entry.name.removeprefix("./"), (offset, entry.size)
    except TarError as error:
        raise _broken(f"it is no tar: {error}") from error


def _json(data: bytes, name: str) -> dict[str, Any]:
    try:
        read = json.loads(data)
    except ValueError as error:
        raise _broken(f"{name} is no JSON") from error
    if not isinstance(read, dict):
        raise _broken(f"{name} is no object")
    return read


def _broken(why: str) -> errdefs.InvalidArgument:
    return errdefs.InvalidArgument(f"this is no archive of an OCI image layout: {why}")
