"""The peer: a dockerd of this run's own, with a containerd of its own, or one that runs already."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.bench.cgroup import Cgroup
from tests.bench.failure import BenchFailed
from tests.bench.side import START_LIMIT_S, Side, wait_for

#: As dockerd writes it for the containerd that it starts itself.
_CONTAINERD_CONFIG = (
    'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\noom_score = -500\n'
)


class Dockerd(Side):
    """A dockerd with data root, exec root, pid file and socket below two folders of its own."""

    name = "dockerd"
    pullers = ("dockerd", "containerd")

    def __init__(self, *, data: Path, run: Path, cgroup: str) -> None:
        self.socket = run / "docker.sock"
        # One level more than is read: in version 2 runc puts containers beside the daemon's cgroup.
        self._daemons = Cgroup(path=f"{cgroup}/daemons")
        self.cgroups = (Cgroup(path=cgroup),)
        self.logs = (run / "containerd.log", run / "dockerd.log")
        self._data = data
        self._run = run
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start containerd, then dockerd, and wait until the API answers."""
        for program in ("dockerd", "containerd"):
            if shutil.which(program) is None:
                raise BenchFailed(f"{program} is not installed: `make bench` installs it, as root")
        self._daemons.make()
        self._run.mkdir(exist_ok=True)
        self._start_containerd()
        self._start_dockerd()

    def stop(self) -> None:
        """End dockerd and then containerd; there are no plugins any more."""
        while self._processes:
            process = self._processes[-1]
            process.terminate()
            process.wait(timeout=START_LIMIT_S)
            self._processes.pop()

    def kill(self) -> None:
        """Kill dockerd and containerd; shims and plugins stay."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait(timeout=START_LIMIT_S)

    def versions(self) -> dict[str, str]:
        """Return the versions of dockerd and what it runs on."""
        with self.api() as api:
            parts = api.version()["Components"]
        return {part["Name"]: part["Version"] for part in parts}

    def _start_containerd(self) -> None:
        config = self._run / "containerd.toml"
        config.write_text(_CONTAINERD_CONFIG)
        address = self._run / "containerd.sock"
        process = self._spawn(
            *("containerd", "--config", str(config), "--address", str(address)),
            *("--root", str(self._data / "containerd"), "--state", str(self._run / "containerd")),
            *("--log-level", "warn"),
        )
        wait_for(lambda: _accepts(address), process, self._log("containerd"))

    def _start_dockerd(self) -> None:
        # The machine's own configuration is not read.
        (self._run / "daemon.json").write_text("{}")
        process = self._spawn(
            *("dockerd", "--config-file", str(self._run / "daemon.json")),
            *("--bridge=none", "--iptables=false", "--log-level", "warn", "--live-restore"),
            *("--data-root", str(self._data / "docker"), "--exec-root", str(self._run / "docker")),
            *("--pidfile", str(self._run / "docker.pid"), "--host", f"unix://{self.socket}"),
            *("--containerd", str(self._run / "containerd.sock")),
        )
        with self.api() as api:
            wait_for(api.is_served, process, self._log("dockerd"))

    def _spawn(self, *argv: str) -> subprocess.Popen[bytes]:
        with self._log(argv[0]).open("ab") as log:
            process = subprocess.Popen(
                self._daemons.enter(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends them in order
                env=_environment(),
            )
        self._processes.append(process)
        return process

    def _log(self, program: str) -> Path:
        return self._run / f"{program}.log"


class RunningDocker(Side):
    """A daemon of somebody else's: only its answers can be timed."""

    name = "dockerd"
    cgroups = ()
    pullers = ()
    logs = ()

    def __init__(self, host: str) -> None:
        if not host.startswith("unix://"):
            raise BenchFailed(f"PEER_DOCKER_HOST={host}: must be a unix socket, unix:///path")
        self.socket = Path(host.removeprefix("unix://"))
        self._had_none = False

    def start(self) -> None:
        """See that it answers and has no plugins: those there at the end are removed."""
        with self.api() as api:
            if not api.is_served():
                raise BenchFailed(f"PEER_DOCKER_HOST: nothing answers at {self.socket}")
            if names := api.names():
                raise BenchFailed(
                    f"PEER_DOCKER_HOST has plugins ({', '.join(names)}), and the benchmark removes "
                    "all plugins: give it a daemon without any"
                )
        self._had_none = True

    def stop(self) -> None:
        """Leave it as it was found; one that was refused is not touched."""
        if self._had_none:
            self.remove_all()

    def kill(self) -> None:
        """Refuse: it is somebody else's."""
        raise BenchFailed("a daemon of somebody else's is not killed")

    def versions(self) -> dict[str, str]:
        """Return the versions of the daemon and what it runs on."""
        with self.api() as api:
            parts = api.version()["Components"]
        return {part["Name"]: part["Version"] for part in parts}


def _accepts(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(address)) == 0


def _environment() -> Mapping[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "OTEL_"))}
