"""A system that systemd has booted in namespaces of its own, with the wheel installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from functools import partial
from pathlib import Path

from deploy.demo import leftovers
from tests.support import unseen_cgroups
from tests.support.node import eventually
from tests.support.node_api import NodeApi

_TOP = Path(__file__).parents[2]
_BOOT = _TOP / "tests" / "support" / "programs" / "boot-systemd"
_UNITS = _TOP / "deploy" / "systemd"
_HOST_UNITS = Path("/lib/systemd/system")
#: What the units are ordered by; all others of the host are left out.
_TARGETS = ("basic", "multi-user", "shutdown", "sysinit", "umount", "final")
_JOURNAL = tuple(f"systemd-journald{kind}" for kind in (".service", ".socket", "-dev-log.socket"))
_LIMIT_S = 90.0


class Booted:
    """One such system: its services by `systemctl`, its files as seen from inside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"sd-{uuid.uuid4().hex[:8]}"
        #: systemd's own, and that of Wherry's node, which is called by the host's name.
        self.cgroups = (f"/{self.name}", f"/wherry/{self.name}")
        self._unseen_before = unseen_cgroups.hierarchies()
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0

    def install(self) -> None:
        """Lay out what takes the place of the host's: wheel, units, empty folders."""
        for name in ("lib", "log", "opt", "opt/others", "tmp", "units"):
            (self.folder / name).mkdir()
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "console").touch()
        _install_wheel(self.folder)
        units = self.folder / "units"
        for unit in _UNITS.iterdir():
            shutil.copy(unit, units)
        for target in _TARGETS:
            (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        with (units / "sysinit.target").open("a") as sysinit:
            sysinit.write("Wants=systemd-journald.service\n")
        for name in _JOURNAL:
            shutil.copy(_HOST_UNITS / name, units)

    def drop_in(self, unit: str, text: str) -> None:
        """Change a unit before it is booted."""
        folder = self.folder / "units" / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text)

    def boot(self) -> None:
        """Start systemd and wait until it takes wishes."""
        with (self.folder / "boot.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_BOOT), str(self.folder), self.cgroups[0], self.name, _packages()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._is_up, f"systemd is up; {self.folder / 'boot.log'}", limit_s=_LIMIT_S)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program inside and return what it says."""
        enter = ("nsenter", f"--target={self._init}", "--mount", "--pid", "--uts", "--ipc")
        done = subprocess.run(
            [*enter, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S * 2,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def systemctl(self, *words: str, check: bool = True) -> str:
        """Run systemctl."""
        return self.run("systemctl", "--no-pager", *words, check=check)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit)

    def is_active(self, *units: str) -> bool:
        """Tell whether all of these are."""
        states = self.systemctl("is-active", *units, check=False).splitlines()
        return states == ["active"] * len(units)

    def main_pid(self, unit: str) -> int:
        """Return the pid of a unit's process as the host has it; 0: it has none."""
        inside = int(self.show(unit, "MainPID"))
        return self._find(inside) if inside else 0

    def outside(self, inside: int) -> int:
        """Return the host's pid of a process that runs, of which the pid inside is known."""
        found = self._find(inside)
        assert found, f"there is no process {inside}"
        return found

    def _find(self, inside: int) -> int:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                parent, pids = _pids(entry)
                if pids[1:2] == [inside] and (int(entry.name) == self._init or self._has(parent)):
                    return int(entry.name)
        return 0

    def inside(self, path: str) -> Path:
        """Return where the host sees a file of the system."""
        return Path(f"/proc/{self._init}/root{path}")

    def api(self) -> NodeApi:
        """Return the API of the node that runs there."""
        return NodeApi(self.inside("/run/wherry/docker.sock"))

    def end(self) -> None:
        """Kill all that runs there, and leave nothing of it but the folder."""
        if self._process is not None:
            if self._init:
                os.kill(self._init, signal.SIGKILL)
            self._process.kill()
            self._process.wait(timeout=_LIMIT_S)
        for cgroup in self.cgroups:
            eventually(partial(_removed, cgroup), f"{cgroup} is gone")
        # systemd mounts what hierarchies nobody has mounted, and the node used those as well.
        eventually(
            partial(unseen_cgroups.removed, self.cgroups, self._unseen_before),
            f"hierarchies of {self.name} are gone",
        )

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "boot.log").read_text()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        said = children.read_text().split()
        self._init = int(said[0]) if said else 0
        return bool(self._init) and self.inside("/run/systemd/private").exists()

    def _has(self, pid: int) -> bool:
        """Tell whether a process is the system's first one, or below it."""
        while pid not in {0, self._init}:
            pid, _ = _pids(Path(f"/proc/{pid}"))
        return pid == self._init


def new_folder() -> Path:
    """Return a folder whose path is short, as AF_UNIX wants it."""
    return Path(tempfile.mkdtemp(prefix="ws-", dir="/tmp"))


def _install_wheel(folder: Path) -> None:
    """Install this tree's wheel into an environment of its own, as the how-to says, in /opt/wherry.

    The packages of others are those of the environment that the tests run in.
    """
    place = folder / "opt" / "wherry"
    wheels = folder / "wheel"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", str(_TOP))
    _run(_interpreter(), "-m", "venv", "--without-pip", str(place))
    (wheel,) = wheels.glob("wherry-*.whl")
    python = place / "bin" / "python"
    _run(*pip, f"--python={python}", "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = (place / "lib").glob("python3*/site-packages")
    (packages / "others.pth").write_text("/opt/others\n")
    command = place / "bin" / "wherry"
    command.write_text(command.read_text().replace(str(place), "/opt/wherry"))


def _interpreter() -> str:
    """Return a Python that units without home folders see: the system's, if it is one like ours."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    system = Path(f"/usr/bin/python{version}")
    return str(system) if system.exists() else sys.executable


def _packages() -> str:
    return next(path for path in sys.path if path.endswith("site-packages"))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _pids(process: Path) -> tuple[int, list[int]]:
    """Return a process's parent and its pids, in our namespace first; 0 and none if it is gone."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0, []
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(said["PPid"]), [int(pid) for pid in said["NSpid"].split()]


def _removed(cgroup: str) -> bool:
    """Remove a cgroup in each hierarchy; tell whether none is left."""
    found = leftovers.cgroups(cgroup)
    for path in found:
        try:
            path.rmdir()
        except OSError:
            return False
    return not leftovers.cgroups(cgroup)
