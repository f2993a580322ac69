"""The sample volume plugin: volumes, their quota, and what a restart keeps."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.quota_volume import Namespace, Plugin

pytestmark = pytest.mark.root

MIB = 1024 * 1024


def mounts_below(namespace: Namespace, root: Path) -> list[str]:
    """Return the mountpoints below *root* in the namespace."""
    table = Path(f"/proc/{namespace.pid}/mountinfo").read_text()
    points = [line.split()[4] for line in table.splitlines()]
    return [point for point in points if point.startswith(f"{root}/")]


def test_a_write_beyond_the_quota_fails(plugin: Plugin, namespace: Namespace) -> None:
    """A volume takes as many bytes as its size and answers ENOSPC to the next."""
    assert plugin.error("Create", Name="data", Opts={"size": "1m"}) == ""
    mounted = plugin.call("Mount", Name="data", ID="c1")
    file = namespace.path(Path(mounted["Mountpoint"])) / "file"

    with file.open("wb", buffering=0) as stream:
        assert stream.write(bytes(MIB)) == MIB
        with pytest.raises(OSError, match="No space left") as error:
            stream.write(b"x")

    assert error.value.errno == errno.ENOSPC


def test_the_status_shows_size_and_use(plugin: Plugin, namespace: Namespace) -> None:
    """Get tells the size, the bytes in use, the mode and the holders of a volume."""
    plugin.call("Create", Name="data", Opts={"size": "64k", "mode": "0700"})
    mounted = plugin.call("Mount", Name="data", ID="c1")
    (namespace.path(Path(mounted["Mountpoint"])) / "file").write_bytes(bytes(8192))

    volume = plugin.call("Get", Name="data")["Volume"]

    assert volume["Name"] == "data"
    assert volume["Mountpoint"] == mounted["Mountpoint"]
    assert volume["CreatedAt"].endswith("Z")
    assert volume["Status"] == {
        "size_bytes": 65536,
        "used_bytes": 8192,
        "mode": "0700",
        "mounted": True,
        "holders": 1,
    }


def test_sizes_default_and_limit_come_from_the_environment(start: Callable[..., Plugin]) -> None:
    """A volume gets DEFAULT_SIZE when it asks for none, and never more than MAX_SIZE."""
    plugin = start(DEFAULT_SIZE="128k", MAX_SIZE="2m")
    assert plugin.error("Create", Name="plain") == ""

    size = plugin.call("Get", Name="plain")["Volume"]["Status"]["size_bytes"]
    error = plugin.error("Create", Name="large", Opts={"size": "3m"})

    assert size == 128 * 1024
    assert error == (
        "size 3m is above the limit of 2m: ask for less, or raise MAX_SIZE of the plugin"
    )


def test_a_bad_environment_stops_the_start(start: Callable[..., Plugin]) -> None:
    """A size that cannot be read ends the plugin with the variable's name."""
    plugin = start(DEFAULT_SIZE="much")

    assert plugin.process.wait(timeout=20) == 1
    assert plugin.errors.read_text().startswith("DEFAULT_SIZE much: ")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": "10x"}, 'size "10x" is not a size'),
        ({"size": ""}, 'size "" is not a size'),
        ({"size": "-1"}, 'size "-1" is not a size'),
        ({"size": "1.5g"}, 'size "1.5g" is not a size'),
        ({"size": "99999999999999999999"}, "is not a size"),
        ({"size": "9999999999t"}, "is not a size"),
        ({"size": "0"}, "size 0 leaves no room"),
        ({"size": 64}, "option size is not a string"),
        ({"mode": "rwx"}, 'mode "rwx" is not a mode'),
        ({"mode": "17777"}, "mode 17777 is above 7777"),
        ({"quota": "1m"}, "option quota is not known"),
        ("size=1m", "Opts is not an object"),
    ],
)
def test_bad_options_are_refused(plugin: Plugin, options: object, text: str) -> None:
    """Create names the option it cannot use and makes nothing."""
    assert text in plugin.error("Create", Name="data", Opts=options)
    assert plugin.call("List")["Volumes"] == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../etc", "a/b", "-a", ".state", "a b", "ä", "a\n", "a" * 256]
)
def test_bad_names_are_refused(plugin: Plugin, name: str) -> None:
    """No name leads out of the folder of volumes or into its hidden state."""
    assert "is not allowed" in plugin.error("Create", Name=name)
    assert "is not allowed" in plugin.error("Mount", Name=name, ID="c1")
    assert plugin.call("Get", Name=name) == {"Volume": None, "Err": ""}


def test_the_longest_name_works(plugin: Plugin) -> None:
    """A name of 255 characters is created, mounted, let go and removed."""
    name = "a" * 255
    assert plugin.error("Create", Name=name) == ""
    assert plugin.error("Mount", Name=name, ID="c1") == ""
    assert plugin.error("Unmount", Name=name, ID="c1") == ""
    assert plugin.error("Remove", Name=name) == ""


def test_an_absent_volume(plugin: Plugin) -> None:
    """Get answers null, from which the engine makes its 404; the other methods answer Err."""
    assert plugin.call("Get", Name="none") == {"Volume": None, "Err": ""}
    for method in ("Mount", "Unmount", "Path", "Remove"):
        assert plugin.error(method, Name="none", ID="c1") == "no such volume: none"


def test_create_is_safe_to_repeat(plugin: Plugin) -> None:
    """A second Create finds the volume; one with another size or mode is refused."""
    for _ in range(2):
        assert plugin.error("Create", Name="data", Opts={"size": "1m"}) == ""
    assert plugin.error("Create", Name="data") == ""

    assert "exists with size 1m" in plugin.error("Create", Name="data", Opts={"size": "2m"})
    assert "exists with mode 0755" in plugin.error("Create", Name="data", Opts={"mode": "700"})


def test_mounts_are_counted_by_id(plugin: Plugin, namespace: Namespace, root: Path) -> None:
    """An id counts once however often it mounts, and the volume goes after the last one only."""
    plugin.call("Create", Name="data")
    for holder in ("c1", "c1", "c10", "c1"):
        assert plugin.error("Mount", Name="data", ID=holder) == ""
    assert len(mounts_below(namespace, root)) == 1
    assert "in use by 2 mounts" in plugin.error("Remove", Name="data")

    for holder in ("c1", "c1", "never"):
        assert plugin.error("Unmount", Name="data", ID=holder) == ""
    assert "in use by 1 mount:" in plugin.error("Remove", Name="data")

    assert plugin.error("Unmount", Name="data", ID="c10") == ""
    assert plugin.error("Remove", Name="data") == ""
    assert mounts_below(namespace, root) == []
    assert plugin.call("List")["Volumes"] == []


def test_data_stay_between_containers(plugin: Plugin, namespace: Namespace) -> None:
    """What one holder wrote is there for the next, also when nobody held the volume between."""
    plugin.call("Create", Name="data")
    folder = namespace.path(Path(plugin.call("Mount", Name="data", ID="c1")["Mountpoint"]))
    (folder / "file").write_text("kept")
    plugin.call("Unmount", Name="data", ID="c1")

    plugin.call("Mount", Name="data", ID="c2")

    assert (folder / "file").read_text() == "kept"


def test_a_busy_volume_is_not_removed(plugin: Plugin, namespace: Namespace) -> None:
    """Remove refuses while a process has a file open, and works once it is closed."""
    plugin.call("Create", Name="data")
    folder = namespace.path(Path(plugin.call("Mount", Name="data", ID="c1")["Mountpoint"]))
    plugin.call("Unmount", Name="data", ID="c1")

    with (folder / "file").open("w"):
        assert plugin.error("Remove", Name="data").startswith("volume data is busy: ")

    assert plugin.error("Remove", Name="data") == ""


@pytest.mark.parametrize("kill", [False, True])
def test_a_restart_keeps_volumes(
    start: Callable[..., Plugin], namespace: Namespace, *, kill: bool
) -> None:
    """Mounts, data, holders and the list outlive the process, ended or killed."""
    first = start()
    first.call("Create", Name="data", Opts={"size": "1m"})
    first.call("Create", Name="unused", Opts={"size": "2m"})
    folder = namespace.path(Path(first.call("Mount", Name="data", ID="c1")["Mountpoint"]))
    (folder / "file").write_text("kept")
    before = first.call("List")["Volumes"]
    first.process.kill() if kill else first.process.terminate()
    first.process.wait(timeout=20)

    second = start(DEFAULT_SIZE="4m")

    assert second.call("List")["Volumes"] == before
    assert [volume["Name"] for volume in before] == ["data", "unused"]
    assert (folder / "file").read_text() == "kept"
    assert "in use" in second.error("Remove", Name="data")
    second.call("Unmount", Name="data", ID="c1")
    assert second.error("Remove", Name="data") == ""


def test_a_volume_whose_mount_is_gone_is_mounted_anew(
    plugin: Plugin, namespace: Namespace, root: Path
) -> None:
    """As after a reboot: the volume is listed with its size, nobody holds it, and it is empty."""
    plugin.call("Create", Name="data", Opts={"size": "1m"})
    plugin.call("Mount", Name="data", ID="c1")
    (namespace.path(root / "data") / "file").write_text("lost")
    subprocess.run(namespace.enter("umount", str(root / "data")), check=True)

    status = plugin.call("List")["Volumes"][0]["Status"]
    assert (status["mounted"], status["holders"], status["size_bytes"]) == (False, 0, MIB)

    assert plugin.error("Mount", Name="data", ID="c2") == ""
    assert list(namespace.path(root / "data").iterdir()) == []
    assert plugin.call("Get", Name="data")["Volume"]["Status"]["holders"] == 1


def test_a_mount_without_record_is_adopted(
    start: Callable[..., Plugin], namespace: Namespace, root: Path
) -> None:
    """A volume whose record is lost is found by its mount at the next start, with its size."""
    first = start()
    first.call("Create", Name="data", Opts={"size": "1m", "mode": "1777"})
    first.call("Mount", Name="data", ID="c1")
    first.terminate()
    (root / ".state" / "data").unlink()

    volume = start().call("Get", Name="data")["Volume"]

    assert volume["Status"]["size_bytes"] == MIB
    assert volume["Status"]["mode"] == "1777"
    assert namespace.path(root / "data").is_mount()


def test_a_damaged_record_hides_no_other_volume(plugin: Plugin, root: Path) -> None:
    """List leaves the damaged one out, and Get tells what to do about it."""
    for name in ("bad", "good"):
        plugin.call("Create", Name=name)
    (root / ".state" / "bad").write_text("size=")

    names = [volume["Name"] for volume in plugin.call("List")["Volumes"]]

    assert names == ["good"]
    assert "delete .state/bad" in plugin.error("Get", Name="bad")


def test_operations_are_logged(plugin: Plugin) -> None:
    """Each operation is a line on stdout, each error one on stderr, whatever the name holds."""
    plugin.call("Create", Name="data")
    plugin.call("Mount", Name="data", ID="c1")
    plugin.call("Create", Name="a\nforged")

    errors = plugin.errors.read_text()

    assert 'VolumeDriver.Mount name="data" id="c1"\n' in plugin.out.read_text()
    assert errors.startswith('VolumeDriver.Create name="a\\u000aforged" error="volume name ')
    assert errors.count("\n") == 1


def test_two_processes_lose_nothing_of_one_another(start: Callable[..., Plugin]) -> None:
    """While one version takes over from another, both change the same volumes in turns."""
    old, new = start(), start("new.sock")
    old.call("Create", Name="data", Opts={"size": "1m"})

    def hold(number: int) -> str:
        return (old, new)[number % 2].error("Mount", Name="data", ID=f"c{number}")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(hold, range(60))) == {""}

    for plugin in (old, new):
        assert plugin.call("Get", Name="data")["Volume"]["Status"]["holders"] == 60
