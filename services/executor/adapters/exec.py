"""ports.Execs: `runc exec`, whose streams are ours.

runc stays as the parent of the process and ends with its exit code. It, and so the process, has
pipes of ours; or a terminal of ours, between which and the one in the container it copies.
What the process starts lies in a cgroup of its own: it can be found, and killed as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.executor.adapters.cgroups import HostCgroups
from services.executor.adapters.exec_streams import ExecStreams, open_pipes, open_terminal
from services.executor.adapters.pidfd import PidfdProcesses, identify
from services.executor.domain import user
from services.executor.domain.frames import STDERR, STDOUT
from services.executor.domain.layout import Layout
from services.executor.domain.record import Process
from shared import errdefs, runc_ctl
from shared.contracts.executor import ExecConfig
from shared.oci.root import Root

#: Nobody's passwd is longer.
_FILE_LIMIT = 1024 * 1024
#: How long the kernel may take to end what was killed.
_KILL_LIMIT_S = 10.0
_KILL_PAUSE_S = 0.01
#: How long runc may take to end after what it waits for.
_GRACE_S = 2.0
_TERM = "TERM=xterm"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncExecs:
    """Runs processes in the containers of one layout."""

    layout: Layout
    runc: runc_ctl.Runc
    cgroups: HostCgroups

    async def run(
        self, container_id: str, exec_id: str, config: ExecConfig, *, height: int, width: int
    ) -> RuncExec:
        """Run a process in a container; raises InvalidArgument for a user that is not there."""
        bundle = self.layout.bundle(container_id)
        folder = bundle.exec_folder(exec_id)
        folder.mkdir(mode=0o700, parents=True)
        try:
            process = self._process(json.loads(bundle.spec.read_text()), config)
            if height and width:
                # runc learns the size of its own terminal only after the process has begun.
                process["consoleSize"] = {"height": height, "width": width}
            (folder / "process.json").write_text(json.dumps(process))
            cgroup = self.cgroups.make_exec(container_id, exec_id)
            streams = open_terminal(height, width) if config.tty else open_pipes(stdin=config.stdin)
            with streams:
                runc = await self._launch(container_id, folder, streams, cgroup, tty=config.tty)
                await streams.connect()
        except BaseException:
            self.cgroups.dissolve_execs(container_id, exec_id)
            shutil.rmtree(folder)
            raise
        return RuncExec(
            container_id=container_id,
            exec_id=exec_id,
            folder=folder,
            cgroups=self.cgroups,
            runc=runc,
            streams=streams,
        )

    async def kill_all(self, container_id: str) -> None:
        """Kill what an executor that died has left running beside a container's own process."""
        await _kill(self.cgroups, container_id, "*")
        self.cgroups.dissolve_execs(container_id)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.layout.bundle(container_id).execs)

    async def _launch(
        self, container_id: str, folder: Path, streams: ExecStreams, cgroup: str, *, tty: bool
    ) -> asyncio.subprocess.Process:
        opts = runc_ctl.ExecOpts(
            process=folder / "process.json",
            pid_file=folder / "pid",
            tty=tty,
            cgroup=(cgroup,),
        )
        stdin, stdout, stderr = streams.theirs
        return await asyncio.create_subprocess_exec(
            *(self.runc.command, *self.runc.args()),
            *("--log", str(folder / "log"), "--log-format", "json"),
            *("exec", *opts.args(), container_id),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )

    def _process(self, spec: dict[str, Any], config: ExecConfig) -> dict[str, Any]:
        own: dict[str, Any] = spec["process"]
        env = [*own.get("env", ()), *([_TERM] if config.tty else ()), *config.env]
        process = {
            **own,
            "args": list(config.args),
            "env": env,
            "cwd": config.cwd or own["cwd"],
            "terminal": config.tty,
        }
        if config.user:
            process["user"] = self._user(spec["root"]["path"], config.user)
        return process

    def _user(self, rootfs: str, wanted: str) -> dict[str, Any]:
        with Root(rootfs) as root:
            found = user.resolve(wanted, passwd=_read(root, "passwd"), group=_read(root, "group"))
        return {"uid": found.uid, "gid": found.gid, "additionalGids": list(found.groups)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncExec:
    """ports.RunningExec."""

    container_id: str
    exec_id: str
    folder: Path
    cgroups: HostCgroups
    runc: asyncio.subprocess.Process
    streams: ExecStreams

    @property
    def outputs(self) -> Mapping[int, Any]:
        """Return standard output and error by number; with a terminal there is only 1."""
        return dict(zip((STDOUT, STDERR), self.streams.outputs, strict=False))

    async def write(self, data: bytes) -> None:
        """Give it input, waiting while it does not take any; after its end that is lost."""
        await self.streams.write(data)

    def end_input(self) -> None:
        """Let it find the end of its input."""
        self.streams.end_input()

    def resize(self, height: int, width: int) -> None:
        """Change the size of its terminal; runc hands it on when it is told to look."""
        self.streams.resize(height, width)
        with contextlib.suppress(ProcessLookupError):
            self.runc.send_signal(signal.SIGWINCH)

    def process(self) -> Process | None:
        """Return its process; None before it runs, and where that was never."""
        try:
            return identify(int((self.folder / "pid").read_text()))
        except (FileNotFoundError, ValueError):
            return None

    async def ended(self) -> int:
        """Return its exit code once it has ended.

        Raises InvalidArgument with the runtime's words if it could not be run at all.
        """
        code = await self.runc.wait()
        if not (self.folder / "pid").exists():
            raise errdefs.InvalidArgument(self._complaint())
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        """Kill it, and all that it started; then it ends."""
        await _kill(self.cgroups, self.container_id, self.exec_id)
        try:
            async with asyncio.timeout(_GRACE_S):
                await self.runc.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.runc.kill()  # it never came so far as to run anything

    def close(self) -> None:
        """Leave nothing of it once it has ended; what it started is the container's now."""
        self.streams.close()
        self.cgroups.dissolve_execs(self.container_id, self.exec_id)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _complaint(self) -> str:
        try:
            said = (self.folder / "log").read_text()
        except FileNotFoundError:
            said = ""
        return runc_ctl.error_from_log(said, subject="runc exec").message


async def _kill(cgroups: HostCgroups, container_id: str, exec_id: str) -> None:
    """Kill all in an exec's cgroup, also what is forked meanwhile, and wait for their end."""
    processes = PidfdProcesses()
    try:
        async with asyncio.timeout(_KILL_LIMIT_S):
            while found := cgroups.exec_processes(container_id, exec_id):
                for process in found:
                    processes.send(process, signal.SIGKILL)
                for process in found:
                    await processes.ended(process)
                # A process that ended leaves its cgroup a moment later.
                await asyncio.sleep(_KILL_PAUSE_S)
    except TimeoutError as error:
        raise errdefs.DeadlineExceeded(
            f"a process of an exec in {container_id} did not end within {_KILL_LIMIT_S:g} s of "
            "SIGKILL; it hangs in the kernel, look for one in state D"
        ) from error


def _read(root: Root, name: str) -> str:
    """Return a file of the container's /etc; nothing for what is no plain file."""
    try:
        file = os.open(
            name,
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
            dir_fd=root.folder("etc"),
        )
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return ""
        return os.read(file, _FILE_LIMIT).decode(errors="replace")
    finally:
        os.close(file)
