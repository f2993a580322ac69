"""Layers unpacked into a folder: complete, as root, and never outside of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from shared import errdefs
from shared.oci import tar
from shared.oci.compression import decompressed
from shared.oci.digest import Digest, Digester, Reader
from shared.oci.read_ahead import ReadAhead
from shared.oci.root import Root
from shared.oci.tar_header import Entry, EntryType
from shared.oci.tar_sparse import is_hole
from shared.oci.whiteout import Whiteouts

_T = TypeVar("_T")

_REGULAR: Final = EntryType.REGULAR
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: null, zero, full, random, urandom, tty, console, ptmx: those a container has anyway
_HARMLESS_DEVICES: Final = frozenset(
    {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}
)
#: Of attributes that were not carried over so many are told of; an archive may have any number.
_TOLD_XATTRS: Final = 16
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
#: a later entry took a folder's place
_REPLACED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
#: what the archive, and not this host, is to blame for
_ARCHIVE_FAULTS: Final = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.EFBIG,
        errno.EMLINK,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one archive may hold before it is refused."""

    entries: int = 1_000_000
    #: bytes of all files together
    size: int = 64 << 30
    #: bytes of one path
    path: int = 4095

    @property
    def archive(self) -> int:
        """Return the bytes of the whole archive: its files, and 4 KiB around each of its entries.

        Without that, attributes and what follows the last entry cost time without end.
        """
        return self.size + self.entries * 4096

    @property
    def paths(self) -> int:
        """Return the bytes of memory for all paths, those of folders between them included."""
        return self.entries * 256


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedXattr:
    """An extended attribute that was not carried over, and why."""

    entry: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What an archive held."""

    entries: int
    #: bytes of all files together
    size: int
    #: the first of them
    skipped_xattrs: tuple[SkippedXattr, ...]


def keep_going() -> None:
    """Be a checkpoint that never stops the work."""


def unpack(
    source: Reader,
    folder: str | Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    checkpoint: Callable[[], None] = keep_going,
) -> tuple[Digest, Unpacked]:
    """Unpack a layer, plain, gzip or zstd, over what *folder* holds; return its diff id.

    Whiteouts are honoured. *source* is read, decompressed and hashed by a thread beside the one
    that writes. *checkpoint* is called between entries and blocks, by both; what it raises ends
    the work. On any error the folder is left half written, for its owner to remove;
    nothing is fsynced (``root.sync_file_system``). Raises InvalidArgument for an archive that
    is broken, leads outside or is past *limits*, ResourceExhausted where the disk is full.
    """
    hashed = HashingReader(decompressed(source), checkpoint)
    with ReadAhead(hashed) as ahead, Root(folder) as root:
        reader = tar.TarReader(ahead, limit=limits.archive)
        unpacker = Unpacker(root, honours_whiteouts=True, limits=limits)
        for entry in reader:
            checkpoint()
            unpacker.add(entry, reader.chunks())
        unpacked = unpacker.finish()
        reader.drain()
    return hashed.digester.digest(), unpacked


class HashingReader:
    """Hash what is read, stopping where *checkpoint* raises."""

    def __init__(self, source: Reader, checkpoint: Callable[[], None] = keep_going) -> None:
        self.digester = Digester()
        self._source = source
        self._checkpoint = checkpoint

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, empty only at the end."""
        self._checkpoint()
        data = self._source.read(size)
        self.digester.update(data)
        return data


class Unpacker:
    """Write entries below a root, in the order they come.

    What is in an entry's way is replaced, except that a folder over a folder keeps what it
    holds. Missing parents are made.
    """

    def __init__(
        self, root: Root, *, honours_whiteouts: bool = False, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._root = root
        self._limits = limits
        self._whiteouts = Whiteouts(root, limits.paths) if honours_whiteouts else None
        self._entries = 0
        self._size = 0
        self._skipped: list[SkippedXattr] = []
        # A folder's time changes with each file made in it, so it is set last.
        self._folder_times: dict[str, int] = {}
        #: Folder, mode, uid and gid of a file that the kernel made as it is to be; it makes the
        #: next such file in that folder so, too, unless something but a file was written since.
        self._as_made: tuple[str, int, int, int] | None = None

    def add(self, entry: Entry, content: Iterable[memoryview] = ()) -> None:
        """Write one entry; *content* is asked for only if it is a regular file.

        Raises InvalidArgument where the entry leads outside, is past the limits, or can't
        be made; ResourceExhausted where the disk is full.
        """
        path = tar.clean(entry.name)
        self._check_limits(entry, path)
        try:
            if self._whiteouts is not None and self._whiteouts.apply(path):
                self._as_made = None
            elif entry.type is _REGULAR and path:
                self._write_file(path, entry, content)
            else:
                self._as_made = None
                self._write(path, entry)
        except OSError as error:
            raise _translated(entry, error) from error

    def finish(self) -> Unpacked:
        """Set the folders' times and say what was unpacked."""
        for path, time_ns in self._folder_times.items():
            self._set_folder_time(path, time_ns)
        return Unpacked(entries=self._entries, size=self._size, skipped_xattrs=tuple(self._skipped))

    def _check_limits(self, entry: Entry, path: str) -> None:
        self._entries += 1
        self._size += entry.size
        if self._entries > self._limits.entries:
            raise errdefs.InvalidArgument(
                f"the archive has more than {self._limits.entries} entries"
            )
        if self._size > self._limits.size:
            raise errdefs.InvalidArgument(
                f"the archive's files are more than {self._limits.size} bytes"
            )
        # No character takes more than four bytes.
        if 4 * len(path) > self._limits.path and len(os.fsencode(path)) > self._limits.path:
            raise errdefs.InvalidArgument(
                f"entry {path[:80]!r}… has a path of more than {self._limits.path} bytes"
            )

    def _write(self, path: str, entry: Entry) -> None:
        if entry.type is EntryType.DIRECTORY:
            self._write_folder(path, entry)
            return
        if not path:
            raise _refused(entry, "it would replace the root itself")
        match entry.type:
            case EntryType.HARD_LINK:
                self._write_hard_link(path, entry)
            case EntryType.SYMLINK:
                self._write_symlink(path, entry)
            case EntryType.FIFO:
                self._write_node(path, entry, stat.S_IFIFO)
            case EntryType.CHAR_DEVICE if (entry.major, entry.minor) in _HARMLESS_DEVICES:
                self._write_node(path, entry, stat.S_IFCHR)
            case _:
                raise _refused(
                    entry,
                    f"device {entry.major}:{entry.minor} is not one of the harmless ones "
                    "(null, zero, full, random, urandom, tty, console, ptmx)",
                )

    def _write_folder(self, path: str, entry: Entry) -> None:
        fd = self._open_folder(path)
        try:
            self._set_metadata(fd, entry)
        finally:
            os.close(fd)
        self._folder_times[path] = entry.mtime_ns

    def _open_folder(self, path: str) -> int:
        if not path:
            return os.open(".", _FOLDER, dir_fd=self._root.fd)
        parent, _, name = path.rpartition("/")
        fd = self._root.make_folder(parent)
        try:
            os.mkdir(name, 0o700, dir_fd=fd)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode):
                self._root.remove(path)
                fd = self._root.make_folder(parent)
                os.mkdir(name, 0o700, dir_fd=fd)
        return os.open(name, _FOLDER, dir_fd=fd)

    def _write_file(self, path: str, entry: Entry, content: Iterable[memoryview]) -> None:
        parent, _, name = path.rpartition("/")
        mode, time_ns = entry.mode, entry.mtime_ns
        made = (parent, mode, entry.uid, entry.gid)
        fd = self._new_file(path, parent, name, mode & 0o777)
        try:
            _write_content(fd, content)
            if made != self._as_made or entry.xattrs:
                self._as_made = made if self._set_metadata(fd, entry) else None
            os.utime(fd, ns=(time_ns, time_ns))
        finally:
            os.close(fd)

    def _new_file(self, path: str, parent: str, name: str, mode: int) -> int:
        if path in self._folder_times:
            del self._folder_times[path]
        folder = self._root.make_folder(parent)
        try:
            return os.open(name, _NEW_FILE, mode, dir_fd=folder)
        except FileExistsError:
            self._as_made = None
            self._root.remove(path)
            return os.open(name, _NEW_FILE, mode, dir_fd=self._root.make_folder(parent))

    def _write_hard_link(self, path: str, entry: Entry) -> None:
        try:
            target = tar.clean(entry.link)
        except errdefs.InvalidArgument as error:
            raise _refused(entry, "the target of the hard link is outside of the root") from error
        folder, _, source = target.rpartition("/")

        def link(parent: int, name: str) -> None:
            os.link(
                source,
                name,
                src_dir_fd=self._root.folder(folder),
                dst_dir_fd=parent,
                follow_symlinks=False,
            )

        self._place(path, link)

    def _write_symlink(self, path: str, entry: Entry) -> None:
        if not entry.link.startswith("/"):
            try:
                tar.clean(f"{path.rpartition('/')[0]}/{entry.link}")
            except errdefs.InvalidArgument as error:
                raise _refused(entry, "the target of the symlink is outside of the root") from error
        self._place(path, lambda parent, name: os.symlink(entry.link, name, dir_fd=parent))
        self._set_metadata_at(path, entry)

    def _write_node(self, path: str, entry: Entry, kind: int) -> None:
        device = os.makedev(entry.major, entry.minor)
        self._place(path, lambda parent, name: os.mknod(name, kind | 0o600, device, dir_fd=parent))
        self._set_metadata_at(path, entry)

    def _place(self, path: str, make: Callable[[int, str], _T]) -> _T:
        """Make something new at *path* by its parent's descriptor and its name."""
        parent, _, name = path.rpartition("/")
        self._folder_times.pop(path, None)
        try:
            return make(self._root.make_folder(parent), name)
        except FileExistsError:
            self._root.remove(path)
            return make(self._root.make_folder(parent), name)

    def _set_metadata(self, fd: int, entry: Entry) -> bool:
        """Set owner, mode and attributes; say whether the kernel had made it so already."""
        # Mostly it has, and looking costs a quarter of setting.
        is_now = os.fstat(fd)
        is_others = is_now.st_uid != entry.uid or is_now.st_gid != entry.gid
        if is_others:
            os.fchown(fd, entry.uid, entry.gid)
        is_as_made = not is_others and stat.S_IMODE(is_now.st_mode) == entry.mode
        if not is_as_made:
            os.fchmod(fd, entry.mode)  # after chown, which clears set-id bits
        for key, value in entry.xattrs.items():
            if key != "security.capability" and not key.startswith("user."):
                self._skip(entry, key, "only security.capability and user.* are carried over")
                continue
            try:
                os.setxattr(fd, key, value)
            except OSError as error:
                self._skip(entry, key, os.strerror(error.errno or 0).lower())
        return is_as_made

    def _set_metadata_at(self, path: str, entry: Entry) -> None:
        parent, _, name = path.rpartition("/")
        fd = self._root.folder(parent)
        os.chown(name, entry.uid, entry.gid, dir_fd=fd, follow_symlinks=False)
        if entry.type is not EntryType.SYMLINK:
            os.chmod(name, entry.mode, dir_fd=fd)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)
        for key in entry.xattrs:
            self._skip(entry, key, "only files and folders carry them here")

    def _skip(self, entry: Entry, key: str, reason: str) -> None:
        if len(self._skipped) < _TOLD_XATTRS:
            self._skipped.append(SkippedXattr(entry=entry.name, key=key, reason=reason))

    def _set_folder_time(self, path: str, time_ns: int) -> None:
        if not path:
            os.utime(self._root.fd, ns=(time_ns, time_ns))
            return
        parent, _, name = path.rpartition("/")
        try:
            fd = self._root.folder(parent)
            os.utime(name, ns=(time_ns, time_ns), dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _REPLACED:
                raise


def _write_content(fd: int, content: Iterable[memoryview]) -> None:
    """Write a new file; holes of the archive are holes of the file."""
    ends_in_hole = False
    for chunk in content:
        ends_in_hole = is_hole(chunk)
        if ends_in_hole:
            os.lseek(fd, len(chunk), os.SEEK_CUR)
        elif (count := os.write(fd, chunk)) < len(chunk):
            _write_all(fd, chunk[count:])
    if ends_in_hole:
        os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR))


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _refused(entry: Entry, reason: str) -> errdefs.InvalidArgument:
    kind = {EntryType.HARD_LINK: "hardlink", EntryType.SYMLINK: "symlink"}.get(entry.type, "entry")
    shown = f"{entry.name!r} -> {entry.link!r}" if entry.link else f"{entry.name!r}"
    return errdefs.InvalidArgument(
        f"invalid {kind} {shown}: {reason}", detail={"entry": entry.name, "reason": reason}
    )


def _translated(entry: Entry, error: OSError) -> errdefs.Error:
    reason = os.strerror(error.errno or 0).lower()
    if error.errno in _FULL:
        return errdefs.ResourceExhausted(f"cannot write {entry.name!r}: {reason}")
    links_a_folder = error.errno == errno.EPERM and entry.type is EntryType.HARD_LINK
    if error.errno in _ARCHIVE_FAULTS or links_a_folder:
        return _refused(entry, reason)
    return errdefs.Internal(f"cannot write {entry.name!r}: {reason}")
