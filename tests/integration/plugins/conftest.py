"""The sample volume plugin, built once and run for real."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.quota_volume import SOURCE, Namespace, Plugin, answers, ended, eventually


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the plugin's context once."""
    out = tmp_path_factory.mktemp("quota-volume")
    subprocess.run(["make", "-C", str(SOURCE), "context", f"OUT={out}"], check=True)
    return out


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Keep a mount namespace; what is mounted inside goes with it."""
    argv = ["unshare", "--mount", "--propagation", "private", "--", "sleep", "infinity"]
    with ended(subprocess.Popen(argv)) as holder:
        comm = Path(f"/proc/{holder.pid}/comm")
        eventually(lambda: comm.read_text() == "sleep\n")  # unshare is done with the mounts by then
        yield Namespace(pid=holder.pid)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make the folder that volumes are mounted in."""
    path = tmp_path / "volumes"
    path.mkdir()
    return path


@pytest.fixture
def start(
    context: Path, namespace: Namespace, root: Path, tmp_path: Path
) -> Iterator[Callable[..., Plugin]]:
    """Start plugins with environment variables given by keyword; all are ended afterwards.

    They share their volumes; a plugin beside another needs the name of a socket of its own.
    """
    binary = context / "rootfs" / "quota-volume"

    out, errors = tmp_path / "out", tmp_path / "errors"

    with ExitStack() as stack:

        def run(socket_name: str = "quota.sock", **env: str) -> Plugin:
            socket = tmp_path / socket_name
            argv = namespace.enter(str(binary), "--root", str(root), "--socket", str(socket))
            # Files, not pipes: a pipe that is full and not read would stop the plugin.
            with out.open("ab") as stdout, errors.open("ab") as stderr:
                popen = subprocess.Popen(argv, env=env, stdout=stdout, stderr=stderr)
            process = stack.enter_context(ended(popen))
            eventually(lambda: process.poll() is not None or answers(socket))
            return Plugin(process=process, socket=socket, out=out, errors=errors)

        yield run


@pytest.fixture
def plugin(start: Callable[..., Plugin]) -> Plugin:
    """Start one plugin with the defaults."""
    return start()
