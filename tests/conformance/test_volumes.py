"""Volumes through the docker CLI and Docker's API: the local driver, and plugins that are held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.leftovers import mounts_below
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.plugin_server import PluginServer
from tests.support.volume_driver import VolumeDriver, in_place_of

_TMPFS = ("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1000")


@pytest.fixture
def qv(node: Node, quota_volume: Path) -> str:
    """Enable the sample plugin, and give its name."""
    node.docker("plugin", "create", "qv", str(quota_volume))
    node.docker("plugin", "enable", "qv")
    return "qv:latest"


@pytest.fixture
def driver(node: Node, contexts: Contexts) -> Iterator[VolumeDriver]:
    """Enable a plugin whose answers are the test's own."""
    types = {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"}
    node.create("p", contexts.tar(interface=types, propagatedmount="/data"))
    socket = Path(node.enable("p")["socket_dir"]) / "p.sock"
    with in_place_of(socket) as driver:
        yield driver
        driver.errors.clear()
        for name in node.volumes():
            node.remove_volume(name, force=True)


def _events(node: Node, since_seq: int) -> list[tuple[str, str, dict[str, str]]]:
    told = [event for event in node.feed() if event["seq"] > since_seq]
    return [(e["action"], e["actor_id"], e["attributes"]) for e in told if e["type"] == "volume"]


def test_a_local_volume_lives_and_goes(node: Node) -> None:
    """Create, list, inspect and remove show what dockerd shows, and each result is an event."""
    seq = len(node.feed())
    assert node.docker("volume", "create", "--label", "a=b", "life") == "life"
    assert node.docker("volume", "create", "life") == "life"

    (shown,) = json.loads(node.docker("volume", "inspect", "life"))
    place = node.root / "volumes" / "life" / "_data"
    assert shown.pop("CreatedAt").endswith("Z")
    assert shown == {
        "Driver": "local",
        "Labels": {"a": "b"},
        "Mountpoint": str(place),
        "Name": "life",
        "Options": None,
        "Scope": "local",
    }
    assert node.docker("volume", "ls", "-q", "-f", "label=a=b", "-f", "name=li") == "life"
    (place / "file").write_text("data")
    assert node.mount("life", "c1") == place
    assert "volume is in use - [c1]" in node.docker_fails("volume", "rm", "life")
    node.unmount("life", "c1")

    assert node.docker("volume", "rm", "life") == "life"
    assert not place.exists()
    assert node.docker_fails("volume", "rm", "life").endswith("get life: no such volume")
    assert node.docker("volume", "rm", "-f", "life") == "life"
    local = {"driver": "local"}
    assert _events(node, seq) == [("create", "life", local), ("destroy", "life", local)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["x"], "create x: volume name is too short, names should be at least two alphanumeric"),
        (["a/b"], 'create a/b: "a/b" includes invalid characters for a local volume name, only'),
        (["-o", "foo=bar", "xx"], 'create xx: invalid option: "foo"'),
        (["-o", "type=tmpfs", "xx"], 'create xx: missing required option: "device"'),
        (["-o", "size=1g", "xx"], "create xx: quota size requested but no quota support"),
        (["-o", "size=x", "xx"], "create xx: invalid size: 'x'"),
        (["-d", "no", "xx"], 'create xx: error looking up volume plugin no: plugin "no" not found'),
    ],
)
def test_what_is_refused_is_told_in_dockerds_words(node: Node, args: list[str], said: str) -> None:
    """A volume that cannot be is refused, and nothing of it is left."""
    assert said in node.docker_fails("volume", "create", *args)
    assert node.volumes() == []


def test_a_local_volume_with_options_is_mounted_while_it_is_used(node: Node) -> None:
    """The first owner mounts it, the last one unmounts it, and its remove is refused between."""
    node.docker("volume", "create", *_TMPFS, "tm")
    assert [path for path in mounts_below(node.folder) if "/volumes/" in path] == []

    place = node.mount("tm", "c1")
    assert node.mount("tm", "c2") == node.mount("tm", "c1") == place
    assert place.is_mount()
    assert place.stat().st_uid == 1000
    node.unmount("tm", "c1")
    assert place.is_mount()
    assert node.get("/wherry/v1/volumes/tm/mounts")["mounts"][0]["owner"] == "c2"
    node.unmount("tm", "c2")
    node.unmount("tm", "c2")
    assert not place.is_mount()
    node.docker("volume", "rm", "tm")


def test_a_local_volume_can_be_a_folder_of_the_host(node: Node, tmp_path: Path) -> None:
    """type=none with o=bind shows the folder, read-only when that is asked."""
    (tmp_path / "file").write_text("of the host")
    options = ("-o", "type=none", "-o", f"device={tmp_path}", "-o", "o=bind,ro")
    node.docker("volume", "create", *options, "bound")

    place = node.mount("bound", "c1")
    assert (place / "file").read_text() == "of the host"
    with pytest.raises(OSError, match="Read-only"):
        (place / "other").touch()
    node.unmount("bound", "c1")

    node.docker("volume", "rm", "bound")
    assert (tmp_path / "file").exists()


def test_a_mount_that_fails_says_why_and_holds_nothing(node: Node) -> None:
    """The kernel's reason is told, without the password that was among the options."""
    options = {"type": "cifs", "device": "//127.0.0.1/s", "o": "username=u,password=hunter2"}
    wish = {"Name": "shared", "DriverOpts": options}
    assert node.http.post("/volumes/create", json=wish).status_code == 201

    answer = node.http.post("/wherry/v1/volumes/shared/mounts", json={"owner": "c1"})

    assert answer.status_code == 500
    assert "mount shared: failed to mount local volume" in answer.json()["message"]
    assert "hunter2" not in answer.text
    node.docker("volume", "rm", "shared")


def test_prune_takes_anonymous_volumes_unless_told_all(node: Node) -> None:
    """Named ones stay by default, and for clients before API 1.42 go; used ones always stay."""
    seq = len(node.feed())
    anonymous = node.docker("volume", "create")
    assert len(anonymous) == 64
    used = node.docker("volume", "create")
    (node.mount(used, "c1") / "file").write_bytes(b"x" * 1000)
    (node.root / "volumes" / anonymous / "_data" / "file").write_bytes(b"x" * 500)
    node.docker("volume", "create", "--label", "keep", "kept")
    node.docker("volume", "create", "named")

    said = node.docker("volume", "prune", "-f")
    assert anonymous in said
    assert "500B" in said
    assert sorted(node.volumes()) == sorted([used, "kept", "named"])
    node.docker("volume", "prune", "-af", "--filter", "label!=keep")
    assert sorted(node.volumes()) == sorted([used, "kept"])
    old = node.http.post("/v1.41/volumes/prune").json()
    assert old == {"VolumesDeleted": ["kept"], "SpaceReclaimed": 0}
    assert node.http.post("/volumes/prune?filters=%7B%22x%22%3A%5B%22y%22%5D%7D").json() == {
        "message": "invalid filter 'x'"
    }

    node.unmount(used, "c1")
    prunes = [(a, i, t) for a, i, t in _events(node, seq) if a == "prune"]
    assert prunes[0] == ("prune", "", {"reclaimed": "500"})
    assert len(prunes) == 3


def test_disk_usage_counts_local_volumes(node: Node) -> None:
    """System df shows their sizes and users, and null for types not asked for."""
    node.docker("volume", "create", "big")
    (node.mount("big", "c1") / "file").write_bytes(b"x" * 4096)
    node.docker("volume", "create", *_TMPFS, "elsewhere")

    usage = node.get("/system/df")
    (big,) = usage.pop("Volumes")
    assert big["UsageData"] == {"RefCount": 1, "Size": 4096}
    assert usage == {"LayersSize": 0, "Images": [], "Containers": [], "BuildCache": []}
    assert node.get("/system/df", type="image")["Volumes"] is None
    answer = node.http.get("/system/df?type=nonsense")
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "unknown object type: nonsense",
    )
    assert "Local Volumes   1         1         4.096kB" in node.docker("system", "df")
    node.unmount("big", "c1")


def test_only_swarms_change_volumes(node: Node) -> None:
    """Updates, and volumes of a swarm, are 503 in dockerd's words; a body must be JSON."""
    answer = node.http.put("/volumes/any?version=1", json={})
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("volume update only valid for cluster volumes")
    cluster = node.http.post("/volumes/create", json={"ClusterVolumeSpec": {}})
    assert (cluster.status_code, cluster.json()["message"][:36]) == (
        503,
        "This node is not a swarm manager. Us",
    )
    wrong = node.http.post("/volumes/create", json={"Labels": "x"})
    assert wrong.status_code == 400
    assert wrong.json()["message"] == (
        "invalid JSON: json: cannot unmarshal string into Go struct field CreateOptions.Labels of "
        "type map[string]string"
    )


def test_f03_a_plugin_with_a_volume_is_in_use(node: Node, qv: str) -> None:
    """F03: its disable and rm are refused until the volume is removed."""
    node.docker("volume", "create", "-d", "qv", "-o", "size=1m", "data")

    assert "plugin qv:latest is in use" in node.docker_fails("plugin", "disable", "qv")
    assert node.owners("qv") == ["volume/data"]
    node.docker("volume", "rm", "data")
    node.docker("plugin", "disable", "qv")
    node.docker("plugin", "rm", "qv")


def test_f06_volumes_are_listed_beside_a_disabled_plugin(node: Node, qv: str) -> None:
    """F06: the list works, and still shows the volume that is waiting for its plugin."""
    node.docker("volume", "create", "-d", "qv", "data")
    node.docker("volume", "create", "other")
    node.docker("plugin", "disable", "-f", "qv")

    assert node.docker("volume", "ls", "-q").split() == ["data", "other"]
    assert "found but disabled" in node.docker_fails("volume", "inspect", "data")
    assert "found but disabled" in node.docker_fails("volume", "rm", "data")

    node.docker("plugin", "enable", "qv")
    assert node.owners("qv") == ["volume/data"]
    node.docker("volume", "rm", "data")
    assert node.owners("qv") == []


def test_a_forced_remove_lets_go_of_a_disabled_plugin(node: Node, qv: str) -> None:
    """After a forced disable, rm -f forgets the volume and leaks no reference."""
    node.docker("volume", "create", "-d", "qv", "data")
    node.docker("plugin", "disable", "-f", "qv")

    node.docker("volume", "rm", "-f", "data")

    assert node.owners("qv") == []
    node.docker("plugin", "rm", "qv")


def test_g07_a_plugins_volume_keeps_its_data_between_users(node: Node, qv: str) -> None:
    """G07: it is listed with its driver, and what one owner wrote the next one finds."""
    node.docker("volume", "create", "-d", "qv", "-o", "size=1m", "data")
    assert node.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}") == f"{qv} data"
    (shown,) = json.loads(node.docker("volume", "inspect", "data"))
    assert (shown["Mountpoint"], shown["Options"]) == (
        "/var/lib/quota-volume/data",
        {"size": "1m"},
    )

    place = node.mount("data", "first")
    (place / "note").write_text("from the first")
    node.unmount("data", "first")
    assert node.mount("data", "second") == place
    assert (place / "note").read_text() == "from the first"
    assert node.get("/wherry/v1/volumes/data/path")["mountpoint"] == str(place)
    assert place.is_mount()
    (shown,) = json.loads(node.docker("volume", "inspect", "data"))
    assert shown["Status"]["holders"] == 1
    node.unmount("data", "second")


def test_a_plugin_is_held_again_by_volumes_that_outlived_it(
    node: Node, qv: str, quota_volume: Path
) -> None:
    """One that is installed anew under its name is in use again as soon as it is enabled."""
    node.docker("volume", "create", "-d", "qv", "data")
    node.docker("plugin", "rm", "-f", "qv")
    said = node.docker_fails("volume", "inspect", "data")
    assert 'error looking up volume plugin qv:latest: plugin "qv:latest" not found' in said

    node.docker("plugin", "create", "qv", str(quota_volume))
    node.docker("plugin", "enable", "qv")

    node.wait_for_owners("qv", ["volume/data"])


def test_names_and_drivers_do_not_clash(node: Node, driver: VolumeDriver) -> None:
    """A name is one driver's; creating it again with that one changes nothing."""
    created = node.http.post("/volumes/create", json={"Name": "a/b c", "Driver": "p"}).json()
    assert created == {
        "CreatedAt": "0001-01-01T00:00:00Z",
        "Driver": "p:latest",
        "Labels": None,
        "Mountpoint": "",
        "Name": "a/b c",
        "Options": None,
        "Scope": "global",
    }
    assert node.owners("p") == ["volume/a%2Fb c"]
    for name in ("p", "p:latest", ""):
        again = node.http.post("/volumes/create", json={"Name": "a/b c", "Driver": name})
        assert again.status_code == 201
    answer = node.http.post("/volumes/create", json={"Name": "a/b c", "Driver": "local"})
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        "create a/b c: driver 'p:latest' already has volume 'a/b c': volume name must be unique"
    )


def test_volumes_that_only_a_plugin_knows(node: Node, driver: VolumeDriver) -> None:
    """They are listed and shown; a create takes one in, and a remove deletes it."""
    driver.volumes |= {"one": {}, "two": {}}
    assert node.volumes() == ["one", "two"]
    home = node.root / "plugins" / node.plugin("p")["plugin_id"]
    (listed, _) = node.get("/volumes")["Volumes"]
    assert listed["Mountpoint"] == str(home / "propagated-mount" / "one")
    shown = node.get("/volumes/one")
    assert (shown["Mountpoint"], shown["Scope"], shown["Status"]) == (
        "/data/one",
        "global",
        {"a": 1},
    )

    node.docker("volume", "create", "-d", "p", "--label", "mine", "one")
    assert node.owners("p") == ["volume/one"]
    assert node.get("/volumes/one")["Labels"] == {"mine": ""}
    node.docker("volume", "rm", "one", "two")
    assert driver.volumes == {}
    assert node.owners("p") == []


def test_a_plugins_refusal_is_passed_on(node: Node, driver: VolumeDriver) -> None:
    """Its own words come with dockerd's status, and a refused create leaves nothing behind."""
    driver.errors["Create"] = "the pool is full"
    answer = node.http.post("/volumes/create", json={"Name": "full", "Driver": "p"})
    assert (answer.status_code, answer.json()["message"]) == (
        500,
        "create full: the pool is full",
    )
    assert node.owners("p") == []
    del driver.errors["Create"]

    node.docker("volume", "create", "-d", "p", "kept")
    driver.errors["Remove"] = "somebody sleeps in it"
    answer = node.http.delete("/volumes/kept")
    assert (answer.status_code, answer.json()["message"]) == (
        500,
        "remove kept: somebody sleeps in it",
    )
    assert node.owners("p") == ["volume/kept"]
    assert node.http.delete("/volumes/kept?force=1").status_code == 500
    assert node.owners("p") == []


def test_a_link_does_not_lead_out_of_a_plugin(node: Node, driver: VolumeDriver) -> None:
    """A plugin that names a place where a link leads elsewhere is refused."""
    node.docker("volume", "create", "-d", "p", "data")
    home = node.root / "plugins" / node.plugin("p")["plugin_id"]
    (home / "propagated-mount" / "data").symlink_to("/etc")

    answer = node.http.post("/wherry/v1/volumes/data/mounts", json={"owner": "c1"})

    assert answer.status_code == 403
    assert "a link leads out of its own files" in answer.json()["message"]
    assert node.get("/wherry/v1/volumes/data/mounts")["mounts"] == []


def test_a_hung_plugin_holds_nobody_up(node: Node, driver: VolumeDriver) -> None:
    """The list comes in time with a warning, shows what is known, and others work meanwhile."""
    node.docker("volume", "create", "-d", "p", "slow")
    with driver.held("List", before=True), driver.held("Get", before=True):
        listed = node.get("/volumes")
        assert [volume["Name"] for volume in listed["Volumes"]] == ["slow"]
        (warning,) = listed["Warnings"]
        assert warning.startswith("list p:latest: ")
        node.docker("volume", "create", "quick")
        node.docker("volume", "rm", "quick")


def test_a_legacy_plugin_is_a_driver(node: Node, legacy_folder: Path) -> None:
    """A v1 plugin is found by its socket, told to make volumes, and held by nothing."""
    driver = VolumeDriver()

    def answer(method: str, args: dict[str, Any]) -> tuple[int, Any]:
        if method == "Plugin.Activate":
            return 200, {"Implements": ["VolumeDriver"]}
        return driver.answer(method, args)

    socket = legacy_folder / "old.sock"
    with PluginServer(socket, answer):
        node.docker("volume", "create", "-d", "old", "ancient")
        assert node.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}") == "old ancient"
        assert node.mount("ancient", "c1") == Path("/data/ancient")
        node.unmount("ancient", "c1")
        node.docker("volume", "rm", "ancient")
        assert driver.volumes == {}
    socket.unlink()


def test_volumes_are_counted(node: Node, driver: VolumeDriver) -> None:
    """Metrics tell how many there are, who uses them, and what calls of plugins take."""
    node.docker("volume", "create", "-d", "p", "data")
    node.mount("data", "c1")

    text = node.http.get("/wherry/v1/metrics").text

    assert 'wherry_volumes{driver="p:latest",service="volume"} 1.0' in text
    assert 'wherry_volume_mounts{driver="p:latest",service="volume"} 1.0' in text
    assert 'wherry_volume_call_duration_seconds_count{method="Create"' in text
    node.unmount("data", "c1")
