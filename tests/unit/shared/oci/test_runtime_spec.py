"""The runtime spec of a container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.oci import runtime_spec
from shared.oci.devices import DeviceNode
from shared.oci.runtime_spec import ContainerSpec, Mount, Resources, Rlimit


def build(**fields: Any) -> dict[str, Any]:
    return runtime_spec.build(ContainerSpec(rootfs="/r", args=("/bin/p", "-v"), **fields))


def destinations(spec: dict[str, Any]) -> list[str]:
    return [mount["destination"] for mount in spec["mounts"]]


def test_a_plain_container_has_dockers_defaults() -> None:
    """What is not said is as Docker's plugins have it."""
    spec = build()

    assert spec["root"] == {"path": "/r", "readonly": False}
    assert spec["process"] == {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/p", "-v"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "cwd": "/",
        "capabilities": {
            "bounding": list(runtime_spec.DEFAULT_CAPABILITIES),
            "effective": list(runtime_spec.DEFAULT_CAPABILITIES),
            "permitted": list(runtime_spec.DEFAULT_CAPABILITIES),
            "inheritable": [],
        },
        "noNewPrivileges": False,
    }
    assert len(runtime_spec.DEFAULT_CAPABILITIES) == 14
    assert [n["type"] for n in spec["linux"]["namespaces"]] == [
        "mount",
        "network",
        "uts",
        "pid",
        "ipc",
    ]
    assert destinations(spec) == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
    ]
    assert "hostname" not in spec
    assert spec["linux"].keys() == {
        "namespaces",
        "devices",
        "resources",
        "maskedPaths",
        "readonlyPaths",
    }
    json.dumps(spec)


def test_default_device_rules_deny_first_and_fuse_last() -> None:
    """Everything is denied, six nodes allowed, and fuse denied again."""
    rules = build()["linux"]["resources"]["devices"]

    assert rules[0] == {"allow": False, "access": "rwm"}
    assert [(r["allow"], r["major"], r["minor"]) for r in rules[1:]] == [
        (True, 1, 5),
        (True, 1, 3),
        (True, 1, 9),
        (True, 1, 8),
        (True, 5, 0),
        (True, 5, 1),
        (False, 10, 229),
    ]


def test_devices_are_added_behind_the_default_rules() -> None:
    """A resolved device gets a node and a rule that allows it."""
    fuse = DeviceNode(
        path="/dev/fuse", type="c", major=10, minor=229, file_mode=0o666, uid=0, gid=0
    )
    linux = build(devices=(fuse,))["linux"]

    assert linux["devices"] == [fuse.to_spec()]
    assert linux["resources"]["devices"][-1] == fuse.to_rule()


def test_all_devices_is_one_rule() -> None:
    """Allowing all devices replaces every other rule and adds no node."""
    linux = build(allows_all_devices=True)["linux"]

    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert linux["devices"] == []


@pytest.mark.parametrize(
    ("field", "missing"),
    [("shares_host_network", "network"), ("shares_host_pid", "pid"), ("shares_host_ipc", "ipc")],
)
def test_a_shared_namespace_is_left_out(field: str, missing: str) -> None:
    """Sharing the host's namespace means not asking for a new one."""
    types = [n["type"] for n in build(**{field: True})["linux"]["namespaces"]]

    assert missing not in types
    assert len(types) == 4


def test_added_capabilities_alone_are_inheritable() -> None:
    """They come behind the defaults, verbatim."""
    capabilities = build(capabilities=("CAP_SYS_ADMIN", "CAP_KILL"))["process"]["capabilities"]

    assert capabilities["bounding"][14:] == ["CAP_SYS_ADMIN", "CAP_KILL"]
    assert capabilities["inheritable"] == ["CAP_SYS_ADMIN", "CAP_KILL"]
    assert "ambient" not in capabilities


def test_a_mount_below_dev_replaces_only_the_default_there() -> None:
    """The user's own mounts all stay, and so do the other defaults."""
    mounts = (
        Mount(destination="/dev/shm", type="bind", source="/s"),
        Mount(destination="/dev/mine", type="bind", source="/m"),
        Mount(destination="/dev", type="bind", source="/d"),
        Mount(destination="/proc", type="bind", source="/p"),
    )
    spec = build(mounts=mounts)

    assert destinations(spec) == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
        "/dev/mine",
        "/dev",
        "/proc",
    ]
    assert spec["mounts"][6]["source"] == "/s"


def test_a_propagated_mount_comes_first_and_shares_the_root() -> None:
    """It stands between defaults and the user's mounts, and the root propagates."""
    spec = build(
        propagated_mount=runtime_spec.propagated("/host/pm", "/mnt"),
        mounts=(Mount(destination="/x", type="bind", source="/x"),),
    )

    assert destinations(spec)[-2:] == ["/mnt", "/x"]
    assert spec["mounts"][-2] == {
        "destination": "/mnt",
        "type": "bind",
        "source": "/host/pm",
        "options": ["rbind", "rw", "rshared"],
    }
    assert spec["linux"]["rootfsPropagation"] == "rshared"


def test_limits_and_identity_are_written_where_given() -> None:
    """Every optional field lands where the runtime spec has it."""
    spec = build(
        env=("A=1",),
        cwd="/w",
        uid=7,
        gid=8,
        hostname="h",
        is_readonly=True,
        cgroups_path="/wherry/n/c",
        resources=Resources(memory_bytes=1, cpu_quota_us=2, cpu_period_us=3, cpu_shares=4, pids=5),
        rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=1, hard=2),),
        no_new_privileges=True,
        oom_score_adj=-1,
        masked_paths=("/sys/x",),
    )

    assert spec["process"]["env"][1:] == ["A=1"]
    assert spec["process"]["cwd"] == "/w"
    assert spec["process"]["user"] == {"uid": 7, "gid": 8}
    assert spec["process"]["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]
    assert (spec["process"]["noNewPrivileges"], spec["process"]["oomScoreAdj"]) == (True, -1)
    assert (spec["hostname"], spec["root"]["readonly"]) == ("h", True)
    assert spec["linux"]["cgroupsPath"] == "/wherry/n/c"
    assert spec["linux"]["maskedPaths"][-1] == "/sys/x"
    assert spec["linux"]["resources"]["memory"] == {"limit": 1}
    assert spec["linux"]["resources"]["cpu"] == {"quota": 2, "period": 3, "shares": 4}
    assert spec["linux"]["resources"]["pids"] == {"limit": 5}


def test_thermal_throttle_folders_are_those_present(tmp_path: Path) -> None:
    """Only CPUs that have the folder are listed."""
    (tmp_path / "cpu1" / "thermal_throttle").mkdir(parents=True)
    (tmp_path / "cpu0").mkdir()
    (tmp_path / "cpuidle" / "thermal_throttle").mkdir(parents=True)

    assert runtime_spec.thermal_throttle_paths(tmp_path) == (f"{tmp_path}/cpu1/thermal_throttle",)


def test_a_seccomp_profile_follows_the_capabilities() -> None:
    """With a machine the default profile is part of the spec; without one there is none."""
    spec = build(seccomp_machine="x86_64", capabilities=("CAP_SYS_ADMIN",))

    (names, *_) = (rule["names"] for rule in spec["linux"]["seccomp"]["syscalls"])
    assert {"chroot", "mount"} <= set(names)
    assert "seccomp" not in build()["linux"]


def test_all_devices_are_all_but_the_denied_disks() -> None:
    """What is denied comes last, so that it counts."""
    spec = runtime_spec.build(
        ContainerSpec(rootfs="/r", args=("/x",), allows_all_devices=True, denied_disks=((8, 1),))
    )

    denied = {"allow": False, "type": "b", "major": 8, "minor": 1, "access": "rwm"}
    rules = spec["linux"]["resources"]["devices"]
    assert rules == [{"allow": True, "access": "rwm"}, denied]
