"""A whole node on this machine, in folders of its own: its processes, its clients, its end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from deploy.demo import leftovers, processes
from deploy.demo.leftovers import Leftovers
from deploy.demo.processes import Process
from services.cli.adapters.gateway import UnixGateway
from services.parent.config import ParentConfig
from shared.node.config import NodeConfig
from tests.support.command import Command
from tests.support.node_api import NodeApi

N = TypeVar("N", bound="Node")

_CODE = Path(__file__).parents[2]
_ANY_NODE = NodeConfig.from_env({"WHERRY_NODE": "any"})
SERVICES = tuple(service.name for service in ParentConfig.of(_ANY_NODE).services)
#: In the order in which they are killed when all are: nobody is there to start another anew.
PROCESSES = ("parent", *reversed(SERVICES), "redis")
_LIMIT_S = 60.0
_DELETE_LIMIT_S = 5.0
_ROUNDS = 10
#: Where anything of a plugin lies below the data root.
_PLUGIN_FILES = (
    "plugins/",
    "work/",
    "trash/",
    "staging/",
    "content/blobs/sha256/",
    "content/ingest/",
)


def eventually(holds: Callable[[], object], what: object, *, limit_s: float = _LIMIT_S) -> None:
    """Wait until something holds, looking often; fail the test when it does not in time."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {limit_s:g} s: {what}"
        time.sleep(0.01)


class Node(NodeApi):
    """A node that its own parent runs; *settings* are variables of its environment."""

    #: The module that runs the parent.
    PARENT = "services.parent"

    def __init__(self, **settings: str) -> None:
        # Short, as AF_UNIX wants it; pytest's tmp_path is longer.
        self.folder = Path(tempfile.mkdtemp(prefix="wn-", dir="/tmp"))
        self.root = self.folder / "d"
        self.exec_root = self.folder / "e"
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.cgroup = f"/wherry/{self.name}"
        super().__init__(self.exec_root / "docker.sock")
        self._settings = settings
        self._parent: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return what the node and its clients are told, and nothing else of ours."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("WHERRY_", "DOCKER_", "OTEL_"))
        }
        return {
            **kept,
            "WHERRY_NODE": self.name,
            "WHERRY_ROOT": str(self.root),
            "WHERRY_EXEC_ROOT": str(self.exec_root),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "docker"),
            **self._settings,
        }

    def up(self) -> None:
        """Start a parent and wait until the node is healthy."""
        self.start()
        self.wait_healthy()

    def restart(self, **settings: str) -> None:
        """End the services, not the plugins, and start them with other settings."""
        assert self._parent is not None
        self._parent.terminate()
        assert self._parent.wait(timeout=_LIMIT_S) == 0
        self._settings |= settings
        self.start()

    def start(self) -> None:
        """Start a parent."""
        with (self.folder / "log").open("ab") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", self.PARENT],
                cwd=_CODE,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def revive(self, *, wait: bool = True) -> None:
        """Start a parent if there is none, which restarts what is dead."""
        self._reap()
        if self._parent is None:
            self.start()
        if wait:
            self.wait_healthy()

    def until_told(self, name: str, *actions: str) -> None:
        """Wait until the feed has these of a name and no others: it may come after an answer."""
        eventually(lambda: self.told(name) == [*actions], f"of {name} is told: {actions}")

    def wait_healthy(self) -> None:
        """Wait until every service is well, and a child of the parent that runs now."""
        eventually(self._is_healthy, f"{self.name} is healthy; look at {self.folder / 'log'}")

    def pid(self, name: str) -> int | None:
        """Return the pid of one of PROCESSES; None while it does not run."""
        # Not through a lock: holding one for a moment could keep a service from starting.
        with contextlib.suppress(OSError, ValueError, KeyError):
            said = (self.exec_root / "locks" / f"{name}.lock").read_text()
            pid = int(json.loads(said)["pid"])
            return pid if is_running(pid) else None
        return None

    def pids(self) -> dict[str, int]:
        """Return the pids of those of PROCESSES that run."""
        found = {name: self.pid(name) for name in PROCESSES}
        return {name: pid for name, pid in found.items() if pid is not None}

    def kill(self, *names: str) -> None:
        """Kill -9 some of PROCESSES and wait for their end."""
        running = self.pids()
        processes.kill(Process(pid=running[name], title=name) for name in names)
        self._reap()

    def containers(self) -> list[str]:
        """Return the ids of the containers that have a folder."""
        folder = self.exec_root / "c"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def conmon(self, container_id: str) -> int:
        """Return the pid of a container's supervisor."""
        return int((self.exec_root / "c" / container_id / "conmon.pid").read_text())

    def files(self) -> set[str]:
        """Return the files of plugins in the data root, finished or not; no plugin has none."""
        # Not by Path.rglob: it fails on a folder that is deleted meanwhile.
        found = {
            os.path.relpath(Path(top) / name, self.root)
            for top, folders, files in os.walk(self.root)
            for name in (*folders, *files)
        }
        return {path for path in found if path.startswith(_PLUGIN_FILES)}

    def wait_for_files(self, expected: set[str]) -> None:
        """Wait until these are the files of plugins: deleting goes on in the background."""
        deadline = time.monotonic() + _DELETE_LIMIT_S
        while self.files() != expected:
            assert time.monotonic() < deadline, self.files() ^ expected
            time.sleep(0.01)

    def wait_for_owners(self, plugin: str, expected: list[str]) -> None:
        """Wait until these hold a plugin."""
        eventually(lambda: self.owners(plugin) == expected, f"{plugin} is held by {expected}")

    def docker(self, *args: str) -> str:
        """Run the docker CLI, which must succeed, and return what it printed."""
        done = self._run("docker", *args)
        assert done.returncode == 0, f"docker {' '.join(args)}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def docker_fails(self, *args: str) -> str:
        """Run the docker CLI, which must exit with 1, and return its complaint."""
        done = self._run("docker", *args)
        assert done.returncode == 1, f"docker {' '.join(args)} ended with {done.returncode}"
        return done.stderr.rstrip("\n")

    def wherry(self, *args: str) -> str:
        """Run Wherry's own CLI, which must succeed, and return what it printed."""
        done = self._run(sys.executable, "-m", "services.cli", *args)
        assert done.returncode == 0, f"wherry {' '.join(args)}: {done.stderr}"
        return done.stdout

    def wherry_fails(self, *args: str) -> str:
        """Run Wherry's own CLI, which must exit with 1, and return its complaint."""
        done = self._run(sys.executable, "-m", "services.cli", *args)
        assert done.returncode == 1, f"wherry {' '.join(args)} ended with {done.returncode}"
        return done.stderr.rstrip("\n")

    def begin_wherry(self, *args: str) -> Command:
        """Begin Wherry's own CLI, whose output is to be read while it goes on."""
        argv = (sys.executable, "-m", "services.cli", *args)
        return Command(*argv, cwd=_CODE, env=self.environment)

    def begin_docker(self, *args: str) -> Command:
        """Begin the docker CLI, which goes on while the test looks elsewhere."""
        return Command("docker", *args, cwd=_CODE, env=self.environment)

    def shut_down(self) -> None:
        """End the node as its operator does: plugins, mounts and cgroups first."""
        response = self.http.post("/wherry/v1/node/shutdown")
        assert response.status_code == 204, response.text
        assert self._parent is not None
        self._parent.terminate()
        assert self._parent.wait(timeout=_LIMIT_S) == 0
        self._parent = None

    def leftovers(self) -> Leftovers:
        """Return the processes, mounts, cgroups and sockets of this node."""
        return leftovers.find(self.folder, self.cgroup)

    @contextlib.contextmanager
    def log_shown(self) -> Iterator[None]:
        """Print what the node logs in this block: pytest shows it beside a failure."""
        log = self.folder / "log"
        began = log.stat().st_size
        try:
            yield
        finally:
            sys.stdout.write(log.read_bytes()[began:].decode())

    def destroy(self) -> None:
        """Leave nothing of the node, in whatever state it is; a repeat does nothing."""
        self.http.close()
        for _ in range(_ROUNDS):
            # Whoever starts others goes first.
            running = sorted(self.leftovers().processes, key=lambda p: p.pid != self.pid("parent"))
            if not running:
                break
            processes.kill(running)
            self._reap()
        for mount in sorted(leftovers.mounts_below(self.folder), key=len, reverse=True):
            subprocess.run(["umount", mount], check=False, timeout=10)
        for cgroup in self.leftovers().cgroups:
            Path(cgroup).rmdir()
        left = leftovers.mounts_below(self.folder)
        assert not left, f"{self.folder} is kept, as these are still mounted: {left}"
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_healthy(self) -> bool:
        assert self._parent is None or self._parent.poll() is None, "the parent has ended"
        # Not by httpx: it leaves a socket open when it cannot connect.
        health = UnixGateway(socket=self.socket).health()
        if health is None or not health.healthy:
            return False
        parent = self.pid("parent")
        return all(parent_of(service.pid or 0) == parent for service in health.services)

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=_CODE,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _reap(self) -> None:
        if self._parent is not None and not is_running(self._parent.pid):
            self._parent.wait(timeout=_LIMIT_S)
            self._parent = None


@contextlib.contextmanager
def running_node(settings: Mapping[str, str] | None = None) -> Iterator[Node]:
    """Give a node that is up, and leave nothing of it."""
    with kept_up(Node(**(settings or {}))) as node:
        yield node


@contextlib.contextmanager
def kept_up(node: N) -> Iterator[N]:
    """Start a node, and leave nothing of it."""
    try:
        node.up()
        yield node
    finally:
        node.destroy()


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int | None:
    """Return the parent of a process; None when there is no such process."""
    try:
        return int(_stat(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
