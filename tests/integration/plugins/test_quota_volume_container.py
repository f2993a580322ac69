"""The sample volume plugin as the first process of a container, as an engine runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.quota_volume import Namespace, Plugin, answers, ended, eventually

pytestmark = pytest.mark.root


def bind(source: Path, destination: str) -> dict[str, object]:
    """Return a mount through which mounts made inside are seen outside."""
    return {
        "type": "bind",
        "source": str(source),
        "destination": destination,
        "options": ["rbind", "rw", "rshared"],
    }


def specification(folder: Path, config: dict[str, Any]) -> dict[str, object]:
    """Return a runtime spec with what the plugin's *config* asks for and nothing besides."""
    granted = config["linux"]["capabilities"]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {
            "args": config["entrypoint"],
            "cwd": config["workdir"],
            "env": [f"{entry['name']}={entry['value']}" for entry in config["env"]],
            "user": {"uid": 0, "gid": 0},
            "capabilities": {"bounding": granted, "effective": granted, "permitted": granted},
        },
        "mounts": [
            {"type": "proc", "source": "proc", "destination": "/proc"},
            bind(folder / "propagated", config["propagatedMount"]),
            bind(folder / "run", "/run/docker/plugins"),
        ],
        "linux": {
            "rootfsPropagation": "rshared",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
        },
    }


@pytest.fixture
def folder(tmp_path: Path, namespace: Namespace, context: Path) -> Path:
    """Make a bundle on a shared mount, and the propagated mount another one.

    The second is needed because runc makes the mount that holds the rootfs private inside.
    """
    shutil.copytree(context / "rootfs", tmp_path / "rootfs")
    for name in ("propagated", "run"):
        (tmp_path / name).mkdir()
    config = json.loads((context / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(specification(tmp_path, config)))
    for shared in (str(tmp_path), str(tmp_path / "propagated")):
        subprocess.run(namespace.enter("mount", "--bind", shared, shared), check=True)
        subprocess.run(namespace.enter("mount", "--make-shared", shared), check=True)
    return tmp_path


@pytest.fixture
def container(folder: Path, namespace: Namespace) -> Iterator[Callable[[str], Plugin]]:
    """Run the plugin in containers of the given ids, each in the foreground of a runc."""
    runc = ["runc", "--root", str(folder / "runc")]
    out, errors = folder / "out", folder / "errors"
    socket = folder / "run" / "quota.sock"

    @contextmanager
    def deleted(container_id: str) -> Iterator[None]:
        try:
            yield
        finally:
            delete = namespace.enter(*runc, "delete", "--force", container_id)
            subprocess.run(delete, check=True)

    with ExitStack() as stack:

        def run(container_id: str) -> Plugin:
            argv = namespace.enter(*runc, "run", "--bundle", str(folder), container_id)
            with out.open("ab") as stdout, errors.open("ab") as stderr:
                popen = subprocess.Popen(argv, stdout=stdout, stderr=stderr)
            process = stack.enter_context(ended(popen))
            stack.enter_context(deleted(container_id))
            eventually(lambda: process.poll() is not None or answers(socket))
            return Plugin(process=process, socket=socket, out=out, errors=errors)

        yield run


def test_volumes_outlive_the_container(
    container: Callable[[str], Plugin], folder: Path, namespace: Namespace
) -> None:
    """A mount made inside is seen on the host, stays with its data, and the next one serves it."""
    volume = folder / "propagated" / "data"
    first = container(f"{folder.name[-40:]}-1")
    first.call("Create", Name="data", Opts={"size": "1m"})
    mounted = first.call("Mount", Name="data", ID="c1")
    assert mounted == {"Mountpoint": "/var/lib/quota-volume/data", "Err": ""}
    assert namespace.path(volume).is_mount()
    (namespace.path(volume) / "file").write_text("kept")
    assert first.terminate() == 0  # runc passes the signal on; process 1 takes it

    second = container(f"{folder.name[-40:]}-2")

    status = second.call("Get", Name="data")["Volume"]["Status"]
    assert (status["mounted"], status["holders"]) == (True, 1)
    assert (namespace.path(volume) / "file").read_text() == "kept"
    second.call("Unmount", Name="data", ID="c1")
    assert second.error("Remove", Name="data") == ""
    assert not namespace.path(volume).exists()
