"""Unpacking layers, and every known way out of the root."""

from __future__ import annotations

import gc
import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from shared import errdefs
from shared.oci import unpack
from shared.oci.digest import digest_of
from shared.oci.root import Root
from shared.oci.tar_header import Entry, EntryType, TarError
from shared.oci.unpack import Limits, Unpacked, Unpacker

pytestmark = pytest.mark.root

DIRECTORY = EntryType.DIRECTORY
SYMLINK = EntryType.SYMLINK
HARD_LINK = EntryType.HARD_LINK
CAPABILITY = bytes.fromhex("0100000200000400000000000000000000000000")  # cap_net_bind_service


def file(name: str, content: bytes = b"x", **fields: object) -> tuple[Entry, bytes]:
    return Entry(name=name, size=len(content), **fields), content  # type: ignore[arg-type]  # a mapping of any field


def folder(name: str, mode: int = 0o755) -> tuple[Entry, bytes]:
    return Entry(name=name, type=DIRECTORY, mode=mode), b""


def link(name: str, target: str, kind: EntryType = SYMLINK) -> tuple[Entry, bytes]:
    return Entry(name=name, type=kind, link=target), b""


def device(name: str, kind: EntryType, major: int, minor: int) -> tuple[Entry, bytes]:
    return Entry(name=name, type=kind, major=major, minor=minor, mode=0o666), b""


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Make a folder beside the root, which must be as it was when the test ends."""
    beside = tmp_path / "outside"
    beside.mkdir()
    (beside / "secret").write_text("secret")
    yield beside
    assert {path.name: path.read_text() for path in beside.iterdir()} == {"secret": "secret"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "root"]
    assert (beside / "secret").stat().st_nlink == 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


def lay(root: Path, *files: tuple[Entry, bytes], honours_whiteouts: bool = False) -> Unpacked:
    with Root(root) as opened:
        unpacker = Unpacker(opened, honours_whiteouts=honours_whiteouts)
        for entry, content in files:
            unpacker.add(entry, [memoryview(content)] if content else [])
        return unpacker.finish()


def test_files_folders_and_metadata_are_made(root: Path) -> None:
    """Content, mode with set-id bits, owner and time are the archive's."""
    result = lay(
        root,
        folder("d", mode=0o2750),
        file("d/f", b"hello", mode=0o4751, uid=12, gid=34, mtime_ns=1_500_000_000_123_456_789),
        file("implied/parent/f"),
    )

    made = (root / "d/f").stat()
    assert (root / "d/f").read_bytes() == b"hello"
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o4751, 12, 34)
    assert made.st_mtime_ns == 1_500_000_000_123_456_789
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o2750
    assert stat.S_IMODE((root / "implied").stat().st_mode) == 0o755
    assert (result.entries, result.size) == (3, 6)


def test_a_folder_that_hands_on_its_group_does_not_change_the_archives(root: Path) -> None:
    """Below a set-group-id folder files and folders have the group that the archive says."""
    shared = Entry(name="d", type=DIRECTORY, mode=0o2775, gid=7)
    lay(root, (shared, b""), file("d/f"), folder("d/sub"), file("d/g", gid=7))

    found = {name: (root / "d" / name).stat() for name in ("f", "sub", "g")}
    assert {name: status.st_gid for name, status in found.items()} == {"f": 0, "sub": 0, "g": 7}
    assert stat.S_IMODE(found["sub"].st_mode) == 0o755


def test_a_folder_that_changes_between_its_files_does_not_change_their_owner(root: Path) -> None:
    """What the kernel made of one file is not taken for what it makes of the next one then."""
    shared = Entry(name="d", type=DIRECTORY, mode=0o2775, gid=7)
    lay(root, folder("d"), file("d/a"), file("d/b"), (shared, b""), file("d/c"), file("d/e", b""))

    found = {name: (root / "d" / name).stat() for name in ("a", "b", "c", "e")}
    assert {name: status.st_gid for name, status in found.items()} == dict.fromkeys("abce", 0)


def test_files_of_one_folder_have_each_its_own_mode_owner_and_attributes(root: Path) -> None:
    """A file that needs nothing set does not stand for the next one, which does."""
    lay(
        root,
        file("a"),
        file("b", mode=0o600),
        file("c", uid=5),
        file("d", mode=0o4755),
        file("e", mode=0o4755),
        file("f", xattrs={"user.k": b"v"}),
    )

    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in "abcdef"}
    assert modes == {"a": 0o644, "b": 0o600, "c": 0o644, "d": 0o4755, "e": 0o4755, "f": 0o644}
    assert [(root / name).stat().st_uid for name in "abcdef"] == [0, 0, 5, 0, 0, 0]
    assert os.getxattr(root / "f", "user.k") == b"v"


def test_modes_do_not_depend_on_the_umask(root: Path) -> None:
    """A strict umask changes neither files nor folders nor implied parents."""
    before = os.umask(0o077)
    try:
        lay(root, folder("d", mode=0o777), file("p/f", mode=0o666))
    finally:
        os.umask(before)

    modes = [stat.S_IMODE((root / name).stat().st_mode) for name in ("d", "p", "p/f")]
    assert modes == [0o777, 0o755, 0o666]


def test_folder_times_survive_the_files_put_into_them(root: Path) -> None:
    """A folder's own time, and the root's, are set after everything else."""
    lay(
        root,
        (Entry(name="./", type=DIRECTORY, mode=0o700, mtime_ns=10**18), b""),
        (Entry(name="d", type=DIRECTORY, mode=0o700, mtime_ns=2 * 10**18), b""),
        file("d/f"),
        file("g"),
    )

    assert (root / "d").stat().st_mtime_ns == 2 * 10**18
    assert root.stat().st_mtime_ns == 10**18
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_links_fifos_and_harmless_devices_are_made(root: Path) -> None:
    """Symlinks keep their text, hard links share an inode, nodes keep their numbers."""
    lay(
        root,
        file("a"),
        link("abs", "/a"),
        link("d/up", "../a"),
        link("hard", "/a", HARD_LINK),
        (Entry(name="fifo", type=EntryType.FIFO, mode=0o622, uid=5), b""),
        device("dev/null", EntryType.CHAR_DEVICE, 1, 3),
    )

    assert (root / "abs").readlink() == Path("/a")
    assert (root / "d/up").readlink() == Path("../a")
    assert (root / "hard").stat().st_ino == (root / "a").stat().st_ino
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    assert stat.S_IMODE((root / "fifo").stat().st_mode) == 0o622
    assert (root / "dev/null").stat().st_rdev == os.makedev(1, 3)


def test_a_hard_link_to_a_symlink_links_the_symlink(root: Path, outside: Path) -> None:
    """The link's own inode is shared, its target is never touched."""
    lay(root, link("s", str(outside / "secret")), link("h", "s", HARD_LINK))

    assert (root / "h").is_symlink()
    assert (root / "h").lstat().st_ino == (root / "s").lstat().st_ino


def test_symlinked_folders_inside_the_root_are_followed(root: Path) -> None:
    """Entries below a chain of links, relative and absolute, land where it leads inside."""
    lay(
        root,
        folder("usr/lib"),
        link("lib", "usr/lib"),
        link("lib64", "/lib"),
        link("usr/deep", "../lib64"),
        file("lib/a", b"a"),
        file("lib64/sub/b", b"b"),
        file("usr/deep/c", b"c"),
        link("h", "lib64/a", HARD_LINK),
    )

    assert (root / "usr/lib/a").read_bytes() == b"a"
    assert (root / "usr/lib/sub/b").read_bytes() == b"b"
    assert (root / "usr/lib/c").read_bytes() == b"c"
    assert (root / "h").read_bytes() == b"a"


@pytest.mark.parametrize("target", ["/", "../outside", "/proc/self/root", "{outside}"])
def test_writing_through_a_symlink_stays_inside(root: Path, outside: Path, target: str) -> None:
    """A link already in the root that points out is followed in-root, or refused."""
    (root / "evil").symlink_to(target.format(outside=outside))

    for entry in (file("evil/secret", b"pwned"), folder("evil/secret"), link("evil/x", "y")):
        try:
            lay(root, entry)
        except errdefs.InvalidArgument:
            continue


def test_a_component_swapped_for_a_symlink_stays_inside(root: Path, outside: Path) -> None:
    """A folder replaced by a link out, after its descriptor was kept open, leads nowhere out."""
    entries = [
        folder("d"),
        file("d/a"),
        link("d", str(outside)),
        file("d/secret", b"pwned"),
    ]
    with pytest.raises(errdefs.InvalidArgument, match="not a directory"):
        lay(root, *entries)

    assert (root / "d").is_symlink()


def test_a_final_symlink_is_replaced_not_followed(root: Path, outside: Path) -> None:
    """A file, folder or node over a symlink takes its place."""
    secret = str(outside / "secret")
    lay(root, link("a", secret), file("a", b"mine"))
    lay(root, link("b", str(outside)), folder("b"), file("b/secret", b"mine"))
    lay(root, link("c", secret), device("c", EntryType.CHAR_DEVICE, 1, 3))
    lay(root, link("e", secret), link("e", "a", HARD_LINK))

    assert not (root / "a").is_symlink()
    assert (root / "b/secret").read_bytes() == b"mine"
    assert (root / "c").is_char_device()
    assert (root / "e").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (file("../evil"), "outside of the root: its name climbs"),
        (file("/../evil"), "outside of the root: its name climbs"),
        (file("a/../../evil"), "outside of the root: its name climbs"),
        (link("h", "../outside/secret", HARD_LINK), "target of the hard link is outside"),
        (link("h", "../../../../etc/passwd", HARD_LINK), "target of the hard link is outside"),
        (link("h", "/etc/passwd", HARD_LINK), "'h' -> '/etc/passwd': no such file"),
        (link("h", "missing", HARD_LINK), "invalid hardlink 'h' -> 'missing': no such file"),
        (link("h", "/", HARD_LINK), "invalid hardlink"),
        (link("h", "h", HARD_LINK), "invalid hardlink"),
        (link("s", "../outside"), "invalid symlink 's' -> '../outside': the target"),
        (link("d/s", "../../outside"), "target of the symlink is outside"),
        (link("s", ""), "no such file"),
        (device("sda", EntryType.BLOCK_DEVICE, 8, 0), "device 8:0 is not one of the harmless"),
        (device("mem", EntryType.CHAR_DEVICE, 1, 1), "device 1:1 is not one of the harmless"),
        (device("null", EntryType.BLOCK_DEVICE, 1, 3), "device 1:3 is not one of"),
        (device("../null", EntryType.CHAR_DEVICE, 1, 3), "outside of the root"),
        (file("."), "it would replace the root itself"),
        (link("", "x"), "it would replace the root itself"),
        (file("n" * 256), "file name too long"),
        (file("a/" * 3000), "path of more than 4095 bytes"),
    ],
)
def test_entries_that_lead_out_or_harm_are_refused(
    root: Path, outside: Path, entry: tuple[Entry, bytes], message: str
) -> None:
    """Each is named with the reason, and leaves nothing behind outside."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        lay(root, entry)


def test_a_hard_link_through_a_symlink_out_finds_nothing(root: Path, outside: Path) -> None:
    """A hard link whose target's parent is a link out is resolved inside, where nothing is."""
    with pytest.raises(errdefs.InvalidArgument, match="no such file"):
        lay(root, link("d", str(outside)), link("h", "d/secret", HARD_LINK))


def test_a_hard_link_to_a_folder_is_refused(root: Path) -> None:
    """Only files can have a second name."""
    with pytest.raises(errdefs.InvalidArgument, match="invalid hardlink"):
        lay(root, folder("d"), link("h", "d", HARD_LINK))


@pytest.mark.parametrize("target", ["loop", "nowhere", "file"])
def test_a_parent_that_leads_nowhere_is_refused(root: Path, target: str) -> None:
    """A loop, a dangling link and a file are no folder to write into."""
    with pytest.raises(errdefs.InvalidArgument, match="invalid entry 'loop/f'"):
        lay(root, file("file"), link("loop", target), file("loop/f"))


def test_what_is_in_the_way_is_replaced(root: Path) -> None:
    """A file takes a tree's place and a folder a file's; a folder keeps what it holds."""
    lay(root, file("a/b/c"), file("x"), file("keep/f"), file("f", b"old"))
    lay(
        root,
        file("a", b"now a file"),
        folder("x"),
        file("x/y"),
        folder("keep", mode=0o700),
        file("f", b"new"),
    )

    assert (root / "a").read_bytes() == b"now a file"
    assert (root / "x/y").exists()
    assert (root / "keep/f").exists()
    assert stat.S_IMODE((root / "keep").stat().st_mode) == 0o700
    assert (root / "f").read_bytes() == b"new"


def test_a_replaced_hard_link_leaves_the_other_name_alone(root: Path) -> None:
    """Writing over one name of a file does not write into the other."""
    lay(root, file("a", b"one"), link("b", "a", HARD_LINK), file("b", b"two"))

    assert (root / "a").read_bytes() == b"one"


def test_xattrs_are_set_or_reported(root: Path) -> None:
    """Capabilities and user attributes are carried, all else is told with its reason."""
    result = lay(
        root,
        file("f", uid=5, xattrs={"security.capability": CAPABILITY, "user.a": b"1"}),
        (Entry(name="d", type=DIRECTORY, xattrs={"user.d": b"2", "trusted.x": b"3"}), b""),
        (Entry(name="s", type=SYMLINK, link="f", xattrs={"user.s": b"4"}), b""),
    )

    assert os.getxattr(root / "f", "security.capability") == CAPABILITY
    assert os.getxattr(root / "f", "user.a") == b"1"
    assert os.getxattr(root / "d", "user.d") == b"2"
    assert [(skipped.entry, skipped.key) for skipped in result.skipped_xattrs] == [
        ("d", "trusted.x"),
        ("s", "user.s"),
    ]
    assert "only security.capability" in result.skipped_xattrs[0].reason


def test_an_xattr_the_file_system_refuses_is_reported(root: Path) -> None:
    """A value the kernel does not take is skipped with the kernel's reason."""
    result = lay(root, file("f", xattrs={"security.capability": b"nonsense"}))

    assert result.skipped_xattrs[0].reason == "invalid argument"


def test_whiteouts_take_away_what_was_there(root: Path) -> None:
    """A whiteout removes a file, a tree or nothing, and is not itself written."""
    lay(root, file("gone"), file("tree/a/b"), file("stays"))
    lay(
        root,
        file(".wh.gone", b""),
        file(".wh.tree"),
        file("absent/.wh.x"),
        file(".wh..wh.plnk", b""),
        honours_whiteouts=True,
    )

    assert sorted(path.name for path in root.iterdir()) == ["stays"]


def test_an_opaque_folder_keeps_only_its_own_layer(root: Path) -> None:
    """All below it from other layers goes, whichever comes first, file or whiteout."""
    lay(root, file("d/old"), file("d/sub/old"), file("e/old"), file("out/f"), link("d/l", "../out"))
    lay(
        root,
        file("d/sub/new"),
        link("d/l", "../out"),
        file("d/.wh..wh..opq", b""),
        file("d/after"),
        honours_whiteouts=True,
    )

    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["d", "d/after", "d/l", "d/sub", "d/sub/new", "e", "e/old", "out", "out/f"]


def test_whiteouts_never_reach_outside(root: Path, outside: Path) -> None:
    """A whiteout below a link out, or of a link out, removes nothing there."""
    (root / "evil").symlink_to(outside)
    lay(root, file("evil/.wh.secret"), file("evil/.wh..wh..opq"), honours_whiteouts=True)
    lay(root, file(".wh.evil"), honours_whiteouts=True)

    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..."])
def test_whiteouts_of_nothing_are_refused(root: Path, name: str) -> None:
    """A whiteout may not name its own folder or the one above."""
    with pytest.raises(errdefs.InvalidArgument, match="invalid whiteout"):
        lay(root, folder("d"), file(name), honours_whiteouts=True)


def test_whiteout_names_are_plain_files_unless_honoured(root: Path) -> None:
    """Without the option nothing is special about them."""
    lay(root, file("a"), file(".wh.a"))

    assert (root / ".wh.a").exists()
    assert (root / "a").exists()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(entries=1), "more than 1 entries"),
        (Limits(size=5), "more than 5 bytes"),
        (Limits(path=2), "path of more than 2 bytes"),
    ],
)
def test_limits_are_kept(root: Path, limits: Limits, message: str) -> None:
    """An archive past a limit is refused, and the limit named."""
    with Root(root) as opened:
        unpacker = Unpacker(opened, limits=limits)
        unpacker.add(Entry(name="a", size=3), [memoryview(b"abc")])
        with pytest.raises(errdefs.InvalidArgument, match=message):
            unpacker.add(Entry(name="bcd", size=3))


def tarball(fill: Callable[[tarfile.TarFile], None]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        fill(archive)
    return out.getvalue()


def one_file(name: str, content: bytes) -> bytes:
    def fill(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))

    return tarball(fill)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_unpack_takes_plain_gzip_and_zstd_and_tells_the_diff_id(
    root: Path, compress: Callable[[bytes], bytes]
) -> None:
    """The diff id covers the whole decompressed stream, trailing blocks too."""
    content = os.urandom(5 << 20)
    data = one_file("big", content)

    diff_id, unpacked = unpack.unpack(io.BytesIO(compress(data)), root)

    assert diff_id == digest_of(data)
    assert (root / "big").read_bytes() == content
    assert unpacked.size == len(content)


def test_unpack_honours_whiteouts_and_layers_stack(root: Path) -> None:
    """A second layer over the first leaves what an image has."""
    unpack.unpack(io.BytesIO(one_file("d/a", b"1")), root)
    unpack.unpack(io.BytesIO(one_file("d/.wh.a", b"")), root)
    unpack.unpack(io.BytesIO(one_file("d/b", b"2")), root)

    assert [path.name for path in (root / "d").iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (one_file("a", b"x" * 600)[:600], TarError, "unexpected EOF"),
        (gzip.compress(os.urandom(9000))[:5000], TarError, "unexpected EOF|malformed|checksum"),
        (gzip.compress(one_file("a", b"x"))[:60], TarError, "unexpected EOF"),
        (b"\x1f\x8b" + b"x" * 100, TarError, "gzip: invalid data"),
        (gzip.compress(one_file("a", b"x"))[:-8] + bytes(8), TarError, "gzip: invalid data"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 600, TarError, "zstd: invalid data"),
    ],
    ids=["tar cut", "gzip cut", "gzip cut early", "no gzip", "wrong checksum", "no zstd"],
)
def test_broken_layers_are_refused(
    root: Path, data: bytes, error: type[errdefs.Error], message: str
) -> None:
    """A cut, spoiled or unknown stream is an error that says what is wrong."""
    with pytest.raises(error, match=message):
        unpack.unpack(io.BytesIO(data), root)


def test_an_empty_layer_is_fine(root: Path) -> None:
    """Nothing unpacks to nothing."""
    diff_id, unpacked = unpack.unpack(io.BytesIO(b""), root)

    assert (diff_id, unpacked.entries) == (digest_of(b""), 0)


def test_an_endless_tail_is_refused(root: Path) -> None:
    """What follows the archive's end is bounded with all the rest."""
    data = gzip.compress(one_file("a", b"x") + bytes(3 << 20))

    with pytest.raises(errdefs.InvalidArgument, match="is more than 1052672 bytes"):
        unpack.unpack(io.BytesIO(data), root, limits=Limits(size=1 << 20, entries=1))


def test_paths_are_bounded_as_memory_is(root: Path) -> None:
    """A short entry may stand for many folders: all their paths count."""
    deep = [folder(f"{number}/" + "a/" * 60)[0] for number in range(3)]
    with Root(root) as opened:
        unpacker = Unpacker(opened, honours_whiteouts=True, limits=Limits(entries=100))
        unpacker.add(deep[0])
        unpacker.add(deep[1])
        with pytest.raises(errdefs.InvalidArgument, match="take more than 25600 bytes"):
            unpacker.add(deep[2])

    assert len(list(root.iterdir())) == 2


def test_attributes_that_are_not_carried_over_take_no_memory(root: Path) -> None:
    """An archive may be full of them: the first are told."""
    refused = {f"trusted.{number}": b"" for number in range(1000)}

    result = lay(root, file("f", xattrs=refused), file("g", xattrs=refused))

    assert len(result.skipped_xattrs) == 16


def test_a_folder_that_became_a_link_to_itself_is_no_fault(root: Path) -> None:
    """What a later entry put in a folder's place is what stays."""
    lay(root, folder("a/b"), (Entry(name="a", type=SYMLINK, link="a"), b""))

    assert (root / "a").is_symlink()


class Stopped(Exception):
    """What the test's checkpoint raises."""


def test_a_checkpoint_ends_the_work(root: Path) -> None:
    """What the checkpoint raises comes out as it is, between entries."""

    def fill(archive: tarfile.TarFile) -> None:
        for number in range(10):
            archive.addfile(tarfile.TarInfo(f"f{number}"))

    def checkpoint() -> None:
        if (root / "f3").exists():
            raise Stopped

    with pytest.raises(Stopped):
        unpack.unpack(io.BytesIO(tarball(fill)), root, checkpoint=checkpoint)

    assert not (root / "f5").exists()


def test_ten_thousand_entries_in_many_folders(root: Path) -> None:
    """More folders than descriptors are kept open for is no problem, and none leaks."""

    def fill(archive: tarfile.TarFile) -> None:
        for number in range(10_000):
            archive.addfile(tarfile.TarInfo(f"d{number % 200}/f{number}"))

    tar = tarball(fill)
    gc.collect()  # what other tests left is closed now, not while this one counts
    before = open_descriptors()
    _, unpacked = unpack.unpack(io.BytesIO(tar), root)

    assert unpacked.entries == 10_000
    assert sum(len(names) for _, _, names in os.walk(root)) == 10_000
    assert open_descriptors() == before


def test_a_full_disk_is_a_spent_resource(root: Path) -> None:
    """A failing write for want of space is told apart from a broken archive."""
    error = unpack._translated(Entry(name="a"), OSError(28, "No space left on device"))

    assert isinstance(error, errdefs.ResourceExhausted)
    assert error.message == "cannot write 'a': no space left on device"
