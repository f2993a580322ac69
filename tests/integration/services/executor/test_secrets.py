"""Secrets on a tmpfs of each container, from boxes that only the executor opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.executor.adapters.own_places import OwnPlaces
from shared import errdefs, sealing
from shared.contracts.executor import ContainerMount
from shared.contracts.sealed import SealedSecret, subject_of
from shared.contracts.secret import ResealSecrets, RotateExecutorKey
from tests.support.bus import delivery
from tests.support.containers import ExecutorNode

pytestmark = pytest.mark.root

_VALUE = b"s3cr3t-of-the-test"


def _sealed(node: ExecutorNode, name: str = "db", value: bytes = _VALUE) -> SealedSecret:
    key = sealing.read_public_key(node.data_root, sealing.SECRETS)
    return SealedSecret(name=name, sealed=sealing.seal(key, value, subject_of(name)))


def _mounts(below: Path) -> list[str]:
    return [
        line.split()[4]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if line.split()[4].startswith(str(below))
    ]


async def test_a_container_finds_its_secret_and_nobody_else_does(node: ExecutorNode) -> None:
    """It is a file of a tmpfs, for the container alone, that goes with the container."""
    await node.start_listening("c-1", "show=/run/secrets/db", secrets=(_sealed(node),))
    await node.start_listening("c-2", "open=/run/secrets/db")

    await node.says("c-1", [f"/run/secrets/db holds {_VALUE.decode()}"])
    await node.says("c-2", ["not opened /run/secrets/db"])
    folder = node.exec_root / "c" / "c-1" / "secrets"
    assert (folder / "db").stat().st_mode & 0o777 == 0o400
    assert str(folder) in _mounts(node.exec_root)
    assert (node.exec_root / "c").stat().st_mode & 0o077 == 0
    assert _VALUE not in (node.exec_root / "c" / "c-1" / "config.json").read_bytes()

    await node.stop("c-1")
    await node.delete("c-1")
    assert not folder.exists()
    assert _mounts(folder) == []


async def test_a_container_can_not_change_its_secret(node: ExecutorNode) -> None:
    """The folder is read-only within it."""
    with pytest.raises(errdefs.Error, match="Read-only file system"):
        await node.start_listening("c-1", "touch=/run/secrets/mine", secrets=(_sealed(node),))
    assert _mounts(node.exec_root / "c") == []


async def test_a_box_of_another_name_does_not_open(node: ExecutorNode) -> None:
    """Who can change the store's rows can't give one plugin's secret out as another's."""
    box = _sealed(node).sealed

    with pytest.raises(errdefs.InvalidArgument, match="secret other does not open"):
        await node.start_listening("c-1", secrets=(SealedSecret(name="other", sealed=box),))
    assert not list(node.exec_root.glob("c/*/secrets/*"))


async def test_a_rotation_leaves_no_secret_behind(node: ExecutorNode) -> None:
    """What was sealed before opens, is sealed anew, and opens with the new key after another."""
    before = _sealed(node)
    key = node.executor.secret_key

    await key.rotate(RotateExecutorKey(), delivery())
    (anew,) = (await key.reseal(ResealSecrets(secrets=(before,)), delivery())).secrets
    await key.rotate(RotateExecutorKey(), delivery())

    await node.start_listening("c-1", "show=/run/secrets/db", secrets=(anew,))
    await node.says("c-1", [f"/run/secrets/db holds {_VALUE.decode()}"])
    with pytest.raises(errdefs.InvalidArgument):
        await node.start_listening("c-2", secrets=(before,))


async def test_another_plugin_s_secrets_can_not_be_mounted(node: ExecutorNode) -> None:
    """They lie in the exec root, which no container is given."""
    await node.start_listening("c-1", secrets=(_sealed(node),))
    own = OwnPlaces(own=node.config.own_places)
    folder = node.exec_root / "c" / "c-1" / "secrets"

    mount = ContainerMount(type="bind", source=str(folder), destination="/x", options=("rbind",))
    with pytest.raises(errdefs.PermissionDenied):
        own.refuse_mounts([mount], node.folder)
