"""The default seccomp profile under the real runc."""

from __future__ import annotations

import errno
import signal
from typing import Any

import pytest

from shared.contracts.executor import Seccomp
from tests.support.containers import ExecutorNode

pytestmark = pytest.mark.root


async def _calls(node: ExecutorNode, *names: str, **more: Any) -> dict[str, int]:
    """Return the error numbers of system calls that a container makes; 0 is success."""
    await node.start("c-1", *(f"call={name}" for name in names), "exit=0", **more)
    await node.exit_of("c-1")
    told = (line.split() for line in await node.output("c-1"))
    return {name: int(number) for name, number in told}


async def test_what_no_capability_is_for_is_refused(node: ExecutorNode) -> None:
    """Keys of the kernel and new namespaces are out of reach, and programs go back to clone."""
    assert await _calls(node, "add_key", "unshare", "clone3") == {
        "add_key": errno.EPERM,
        "unshare": errno.EPERM,
        "clone3": errno.ENOSYS,
    }


async def test_a_capability_brings_its_calls(node: ExecutorNode) -> None:
    """CAP_SYS_ADMIN lets its holder mount, unshare and more, and no other calls."""
    called = await _calls(
        node, "add_key", "unshare", "clone3", "bpf", capabilities=("CAP_SYS_ADMIN",)
    )

    assert called.pop("bpf") not in (errno.EPERM, errno.ENOSYS)
    assert called == {"add_key": errno.EPERM, "unshare": 0, "clone3": errno.EINVAL}


async def test_an_unconfined_container_may_call_all(node: ExecutorNode) -> None:
    """Without a profile only the kernel's own checks count."""
    called = await _calls(node, "add_key", "clone3", seccomp=Seccomp.UNCONFINED)

    assert called == {"add_key": 0, "clone3": errno.EINVAL}


async def test_an_abi_that_the_kernel_lacks_is_no_way_around(node: ExecutorNode) -> None:
    """A call by x32 ends its program, unless the kernel has x32: then it is as any other."""
    found = await _calls(node, "x32", seccomp=Seccomp.UNCONFINED)

    await node.start("c-2", "call=x32", "exit=0")

    ended = (await node.exit_of("c-2")).exit.exit_code
    assert ended == (128 + signal.SIGSYS if found == {"x32": errno.ENOSYS} else 0)


@pytest.mark.parametrize("capability", ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"])
async def test_ordinary_programs_do_not_notice(node: ExecutorNode, capability: str) -> None:
    """Files, sockets, children, signals and mounts work as without a profile."""
    mounts = ["mount=/mnt"] if capability == "CAP_SYS_ADMIN" else []
    does = ["touch=/a", "link=/b:/a", "open=/b", "remove=/a", *mounts, "fork", "print=2"]

    await node.start_listening("c-1", *does, capabilities=(capability,))

    await node.says("c-1", ["opened /b", "line 1", "line 2"])
    assert (await node.stop("c-1")).exit.exit_code == 0  # type: ignore[union-attr]  # it ended
