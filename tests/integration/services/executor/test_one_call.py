"""A container that is created and started by one call of its runtime, or by two."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from services.executor.adapters.conmon import Conmon
from services.executor.adapters.one_call import OneCall
from services.executor.bootstrap import build
from shared.contracts.executor import ContainerStatus
from shared.runc_ctl import Runc
from tests.support.containers import ExecutorNode

pytestmark = pytest.mark.root

_OTHER = """#!/bin/sh
case "$*" in *--version) echo "other version 1.0"; exit ;; esac
exec runc "$@"
"""


async def test_runc_is_asked_until_it_answers_and_then_never_again(tmp_path: Path) -> None:
    """It may be away for a moment, as while its package is upgraded."""
    program = tmp_path / "runc"
    asked = OneCall(Runc(command=str(program)))
    assert await asked.args() == ()

    program.symlink_to(shutil.which("runc") or "")
    assert await asked.args() != ()

    program.unlink()
    assert await asked.args() != ()


async def test_another_runtime_creates_then_starts(node: ExecutorNode, tmp_path: Path) -> None:
    """One that calls itself otherwise is told what the OCI has words for, and no more."""
    program = tmp_path / "other"
    program.write_text(_OTHER)
    program.chmod(0o755)
    supervisor = node.host.supervisor
    assert isinstance(supervisor, Conmon)
    other = OneCall(Runc(command=str(program)))
    node.host = dataclasses.replace(
        node.host, supervisor=dataclasses.replace(supervisor, one_call=other)
    )
    await node.executor.close()
    node.executor = build(node.config, node.host, node.publisher)

    container = await node.start_listening("c-1")

    assert await other.args() == ()
    assert container.status is ContainerStatus.RUNNING


async def test_a_program_that_has_ended_at_once_is_told_with_its_code(node: ExecutorNode) -> None:
    """It may be gone before anybody could look at its process."""
    await node.start("c-1", "exit=7")

    assert (await node.exit_of("c-1")).exit.exit_code == 7


async def test_no_process_of_a_container_stands_in_our_cgroup(node: ExecutorNode) -> None:
    """In no hierarchy, known to the runtime or not, however early it was made."""
    await node.start_listening("c-1", "fork", "fork")

    pids = [process.pid for process in node.host.cgroups.processes("c-1")]
    cgroups = [Path(f"/proc/{pid}/cgroup").read_text().splitlines() for pid in pids]
    assert len(pids) == 3
    assert all(f"/wherry/{node.name}/" in line for lines in cgroups for line in lines)
