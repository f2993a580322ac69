"""Contexts taken apart on a real disk, hostile ones too."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.store.adapters.content import DiskContent
from services.store.adapters.folders import DiskFolders
from shared import errdefs
from shared.contracts.job import StagedBlob
from tests.support.small_disk import small_disk
from tests.support.wait import eventually

Make = Callable[[tarfile.TarFile], None]
ID = "ab" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A data root, and the store's hands on it."""

    root: Path
    folders: DiskFolders
    content: DiskContent

    def spool(self, *makers: Make) -> Path:
        """Write a context as the gateway spools it."""
        path = self.root / "staging" / "context.tar"
        with tarfile.open(path, "w") as tar:
            for make in makers:
                make(tar)
        return path

    def files(self) -> set[str]:
        """Return all files and links below the data root, without the spool."""
        return {
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if (path.is_symlink() or not path.is_dir()) and path.parent.name != "staging"
        }


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Return an empty data root."""
    return made(tmp_path / "root")


def made(root: Path) -> Disk:
    """Make an empty data root."""
    content = DiskContent(root / "content", root / "work")
    folders = DiskFolders(root, content)
    content.make_folders()
    folders.make_folders()
    return Disk(root=root, folders=folders, content=content)


def file(name: str, data: bytes = b"x") -> Make:
    """Return what adds a file to a tar."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))

    return add


def tar_of(*makers: Make) -> bytes:
    """Return a layer before it is compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for make in makers:
            make(tar)
    return buffer.getvalue()


def special(name: str, kind: bytes, link: str = "", device: tuple[int, int] = (0, 0)) -> Make:
    """Return what adds a link, a folder or a device to a tar."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.devmajor, info.devminor = device
        tar.addfile(info)

    return add


SOUND = (file("config.json", b"{}"), special("rootfs", tarfile.DIRTYPE), file("rootfs/bin/p"))


async def test_context_becomes_rootfs_config_and_layer(disk: Disk) -> None:
    """The rootfs lies in place, and the layer's digests are those of its bytes and of its tar."""
    unpacked = await disk.folders.unpack_context(disk.spool(*SOUND), ID)
    await disk.folders.install(ID, ID, "rootfs")

    assert unpacked.config == b"{}"
    assert (disk.folders.rootfs(ID, "rootfs") / "bin/p").read_bytes() == b"x"
    blob = disk.root / "content/blobs/sha256" / unpacked.layer.digest.removeprefix("sha256:")
    assert f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}" == unpacked.layer.digest
    tar = gzip.decompress(blob.read_bytes())
    assert f"sha256:{hashlib.sha256(tar).hexdigest()}" == unpacked.diff_id
    with tarfile.open(fileobj=io.BytesIO(tar)) as layer:
        assert "bin/p" in layer.getnames()
    assert not list((disk.root / "work").iterdir())


async def test_compressed_context_is_read(disk: Disk) -> None:
    """A client that compresses its context is served as well."""
    plain = disk.spool(*SOUND)
    packed = plain.with_name("packed.tar")
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    unpacked = await disk.folders.unpack_context(packed, ID)

    assert unpacked.config == b"{}"


@pytest.mark.parametrize(
    "evil",
    [
        (file("rootfs/../../../evil"),),
        (file("../evil"),),
        (special("rootfs/l", tarfile.SYMTYPE, "../../../.."), file("rootfs/l/evil")),
        (special("rootfs/l", tarfile.LNKTYPE, "../../../../etc/passwd"),),
        (special("rootfs/l", tarfile.LNKTYPE, "/etc/passwd"),),
        (special("rootfs/sda", tarfile.BLKTYPE, device=(8, 0)),),
        (special("rootfs/mem", tarfile.CHRTYPE, device=(1, 1)),),
    ],
    ids=["climbs", "climbs-at-once", "symlink", "hardlink", "hardlink-absolute", "block", "char"],
)
async def test_entry_that_climbs_out_is_refused(
    disk: Disk, evil: tuple[Make, ...], tmp_path: Path
) -> None:
    """A context that reaches outside of its root is a clear error, and leaves nothing."""
    with pytest.raises(errdefs.InvalidArgument):
        await disk.folders.unpack_context(disk.spool(*SOUND, *evil), ID)
    await disk.folders.discard(ID)

    assert disk.files() == set()
    assert {path.name for path in tmp_path.iterdir()} == {"root"}


async def test_absolute_symlink_is_followed_inside_the_root_only(disk: Disk) -> None:
    """Writing through a link to /etc lands in the plugin's own /etc."""
    context = disk.spool(
        *SOUND,
        special("rootfs/etc", tarfile.DIRTYPE),
        special("rootfs/out", tarfile.SYMTYPE, "/etc"),
        file("rootfs/out/wherry-was-here"),
    )

    await disk.folders.unpack_context(context, ID)

    assert not Path("/etc/wherry-was-here").exists()
    assert (disk.root / "work" / ID / "rootfs/etc/wherry-was-here").exists()


@pytest.mark.parametrize(
    ("makers", "message"),
    [
        ((file("config.json", b"{}"),), "no rootfs found"),
        ((special("rootfs", tarfile.DIRTYPE),), "config not found"),
    ],
)
async def test_context_that_lacks_a_part_is_refused(
    disk: Disk, makers: tuple[Make, ...], message: str
) -> None:
    """A context needs config.json and rootfs; dockerd's words say which is missing."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        await disk.folders.unpack_context(disk.spool(*makers), ID)


async def test_context_that_is_no_tar_is_refused(disk: Disk) -> None:
    """Bytes that are no archive are told as such."""
    path = disk.root / "staging" / "context.tar"
    path.write_bytes(b"{}" * 4096)

    with pytest.raises(errdefs.InvalidArgument, match="failed to read from tar: "):
        await disk.folders.unpack_context(path, ID)


@pytest.mark.parametrize("path", ["/etc/passwd", "staging/../store.db", "staging/sub/x"])
async def test_path_outside_of_the_spool_is_refused(disk: Disk, path: str) -> None:
    """A context's path names a file of the spool, whoever sent it."""
    with pytest.raises(errdefs.PermissionDenied):
        await disk.folders.unpack_context(disk.root / path, ID)


async def test_crash_leftovers_are_swept_at_the_next_start(disk: Disk) -> None:
    """Folders without a plugin, staged files and half ingests go; plugins stay."""
    await disk.folders.unpack_context(disk.spool(*SOUND), ID)
    await disk.folders.install(ID, ID, "rootfs")
    await disk.folders.unpack_context(disk.spool(*SOUND), "cd" * 32)
    (disk.root / "plugins" / ("ef" * 32)).mkdir()
    disk.content.new_ingest().write_bytes(b"half")

    disk.content.clear_ingest()
    await disk.folders.sweep({ID: {"rootfs"}}, set())
    await eventually(
        lambda: not any((*disk.root.glob("work/*"), *disk.root.glob("trash/*"))), limit_s=10
    )

    assert [path.name for path in (disk.root / "plugins").iterdir()] == [ID]
    assert not list((disk.root / "content/ingest").iterdir())


async def test_blob_that_exists_is_success(disk: Disk) -> None:
    """The same bytes twice are one blob; what no plugin needs is swept."""
    first = await disk.content.put(b"same")
    again = await disk.content.put(b"same")
    other = await disk.content.put(b"other")

    assert first == again
    told = await disk.content.sweep({first.digest}, dry_run=True)
    assert told == await disk.content.sweep({first.digest}) == (other,)
    assert disk.files() == {f"content/blobs/sha256/{first.digest.removeprefix('sha256:')}"}


def stage(disk: Disk, job_id: str, content: str) -> None:
    """Write what a job has unpacked."""
    rootfs = disk.root / "work" / job_id / "rootfs"
    rootfs.mkdir(parents=True)
    (rootfs / "version").write_text(content)


async def test_versions_of_a_plugin_lie_side_by_side_until_one_is_dropped(disk: Disk) -> None:
    """A new version comes beside the old one; a repeat of its coming, or going, is success."""
    stage(disk, "first", "old")
    await disk.folders.install("first", ID, "rootfs")
    stage(disk, "job", "new")
    for _ in range(2):
        await disk.folders.install("job", ID, "rootfs-job")
    assert (disk.folders.rootfs(ID, "rootfs") / "version").read_text() == "old"

    for _ in range(2):
        await disk.folders.drop_rootfs(ID, "rootfs")

    assert not disk.folders.rootfs(ID, "rootfs").exists()
    assert (disk.folders.rootfs(ID, "rootfs-job") / "version").read_text() == "new"


async def test_nothing_staged_is_no_version(disk: Disk) -> None:
    """A job that has unpacked nothing makes no plugin."""
    with pytest.raises(errdefs.NotFound, match="job job has staged no root file system"):
        await disk.folders.install("job", ID, "rootfs")


async def test_versions_that_no_record_names_are_swept(disk: Disk) -> None:
    """What a crash left beside a plugin's root file system goes; its propagated mount stays."""
    for name in ("kept", "left"):
        stage(disk, name, name)
        await disk.folders.install(name, ID, name)

    await disk.folders.sweep({ID: {"kept"}}, work=())

    home = disk.folders.home(ID)
    assert sorted(path.name for path in home.iterdir()) == ["kept", "propagated-mount"]


async def test_archives_without_a_job_are_swept(disk: Disk) -> None:
    """An archive lies there for as long as the job that it was given; others are deleted."""
    for job_id in ("live", "gone"):
        (disk.root / "work" / f"{job_id}.tar").write_bytes(b"x")

    await disk.folders.sweep({}, work=("live",))

    live = disk.root / "work" / "live.tar"
    await eventually(lambda: list(live.parent.iterdir()) == [live], limit_s=10)


async def test_install_that_was_not_committed_is_put_back(disk: Disk) -> None:
    """A job finds its files where it left them, and can install them again."""
    stage(disk, "job", "new")
    await disk.folders.install("job", ID, "rootfs")

    await disk.folders.put_back("job", ID, "rootfs")
    await disk.folders.put_back("job", ID, "rootfs")
    await disk.folders.install("job", ID, "rootfs")

    assert (disk.folders.rootfs(ID, "rootfs") / "version").read_text() == "new"


async def test_file_of_a_job_becomes_a_blob_wherever_it_lay_below_its_folder(disk: Disk) -> None:
    """A staged file becomes one of the store; a repeat, and another's copy of it, are success."""
    data = b"layer"
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    stage(disk, "job", "new")
    (disk.root / "work/job/blob").write_bytes(data)

    for _ in range(2):
        await disk.content.commit_staged(
            "job", [StagedBlob(digest=digest, size=len(data), ingest="blob")]
        )

    assert await disk.content.known((digest, f"sha256:{'0' * 64}")) == (digest,)


async def test_files_of_a_job_become_blobs_together(disk: Disk) -> None:
    """What is one already is passed over; the files are there for a repeat after a collection."""
    stage(disk, "job", "new")
    staged = []
    for name in ("manifest", "config", "layer"):
        (disk.root / "work/job" / name).write_bytes(name.encode())
        digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
        staged.append(StagedBlob(digest=digest, size=len(name), ingest=name))

    await disk.content.commit_staged("job", staged[:1])
    await disk.content.commit_staged("job", staged)
    await disk.content.sweep(())
    await disk.content.commit_staged("job", staged)

    digests = [blob.digest for blob in staged]
    assert list(await disk.content.known(digests)) == digests
    blobs = disk.root / "content/blobs/sha256"
    assert {path.stat().st_mode & 0o777 for path in blobs.iterdir()} == {0o400}


async def test_file_of_a_job_that_was_cleared_away_is_a_conflict(disk: Disk) -> None:
    """Its worker lost the job while the blob was on its way to the store."""
    stage(disk, "job", "new")

    with pytest.raises(errdefs.Conflict, match="was cleared away"):
        await disk.content.commit_staged(
            "job", [StagedBlob(digest=f"sha256:{'0' * 64}", size=1, ingest="blob")]
        )


@pytest.mark.parametrize("file", ["../other/blob", "/etc/passwd", "../../store/store.db"])
async def test_file_outside_of_the_job_s_folder_is_refused(disk: Disk, file: str) -> None:
    """A worker names files of its own job only."""
    with pytest.raises(errdefs.PermissionDenied):
        await disk.content.commit_staged(
            "job", [StagedBlob(digest=f"sha256:{'0' * 64}", size=1, ingest=file)]
        )


async def test_root_file_system_is_made_anew_from_its_layers(disk: Disk) -> None:
    """Later layers lie over earlier ones; what a loss of power left of it is gone."""
    layers = [
        (await disk.content.put(gzip.compress(tar_of(*makers)))).digest
        for makers in (
            [file("a", b"first"), file("kept", b"k")],
            [file("a", b"second"), special(".wh.nothing", tarfile.REGTYPE)],
        )
    ]
    broken = disk.root / "plugins" / ID / "rootfs"
    broken.mkdir(parents=True)
    (broken / "kept").touch()
    (broken / "half").touch()

    await disk.folders.rebuild(ID, "rootfs", layers)

    assert {path.name: path.read_bytes() for path in broken.iterdir()} == {
        "a": b"second",
        "kept": b"k",
    }
    assert disk.folders.is_installed(ID, "rootfs")
    assert not list((disk.root / "work").iterdir())


async def test_plugin_whose_folder_never_reached_the_disk_is_made_anew(disk: Disk) -> None:
    """Its folder is made with all that belongs into it."""
    blob = await disk.content.put(gzip.compress(tar_of(file("f"))))

    await disk.folders.rebuild(ID, "rootfs", [blob.digest])

    home = disk.root / "plugins" / ID
    assert sorted(path.name for path in home.iterdir()) == ["propagated-mount", "rootfs"]
    assert home.stat().st_mode & 0o777 == 0o700


async def test_what_is_rebuilt_from_a_broken_blob_is_refused(disk: Disk) -> None:
    """Neither a blob that is gone nor one with other bytes becomes a root file system."""
    blob = await disk.content.put(gzip.compress(tar_of(file("f"))))
    path = disk.root / "content" / "blobs" / "sha256" / blob.digest.removeprefix("sha256:")
    path.chmod(0o600)
    path.write_bytes(gzip.compress(tar_of(file("other"))))

    with pytest.raises(errdefs.InvalidArgument, match="unexpected commit digest"):
        await disk.folders.rebuild(ID, "rootfs", [blob.digest])
    path.unlink()
    with pytest.raises(errdefs.NotFound, match="missing from the content store"):
        await disk.folders.rebuild(ID, "rootfs", [blob.digest])

    assert not disk.folders.is_installed(ID, "rootfs")


@pytest.mark.root
async def test_what_a_read_only_disk_keeps_is_said_and_can_be_moved_later() -> None:
    """Nothing is lost: the error names the folder, and a repeat succeeds once it is writable."""
    with small_disk() as small:
        disk = made(small.path / "root")
        folders = disk.folders
        stage(disk, "first", "old")
        await folders.install("first", ID, "rootfs")
        small.make_read_only()
        for move in (
            folders.bury(ID),
            folders.drop_rootfs(ID, "rootfs"),
            folders.put_back("first", ID, "rootfs"),
        ):
            with pytest.raises(errdefs.Unavailable, match="Read-only file system"):
                await move
        small.make_writable()

        await folders.bury(ID)

        assert not folders.home(ID).exists()
        await folders.empty_trash()
        await folders.close()


@pytest.mark.root
async def test_what_cannot_be_moved_aside_keeps_no_store_from_starting() -> None:
    """A leftover that the disk keeps is not said to be gone, and all others go."""
    with small_disk() as first, small_disk() as second:
        disk = made(first.path / "root")
        for left in ("aa" * 32, "cc" * 32):
            (disk.folders.home(left) / "rootfs").mkdir(parents=True)
        (disk.folders.home(ID) / "rootfs").mkdir(parents=True)
        (disk.folders.home(ID) / "rootfs-old").mkdir()
        with (
            bound(second.path, disk.folders.home("aa" * 32)),
            bound(second.path, disk.folders.rootfs(ID, "rootfs-old")),
        ):
            swept = await disk.folders.sweep({ID: {"rootfs"}}, set())

        assert (swept.folders, swept.root_file_systems) == (("cc" * 32,), ())
        again = await disk.folders.sweep({ID: {"rootfs"}}, set())
        assert (again.folders, again.root_file_systems) == (("aa" * 32,), (f"{ID}/rootfs-old",))
        await disk.folders.close()


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """Make a folder one that cannot be renamed, as a mount point can't."""
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", target], check=True)
