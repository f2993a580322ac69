"""conmon: the process that holds a container's output, reaps it and records its exit.

Spoken to as CRI-O and Podman do: it waits for a byte on the start pipe before it forks, and
answers runc's result on the sync pipe as one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.executor.adapters.calls import spanned
from services.executor.adapters.capabilities import lacking_capabilities
from services.executor.adapters.cgroups import HostCgroups
from services.executor.adapters.metrics import RUNC_SECONDS
from services.executor.adapters.one_call import OneCall
from services.executor.adapters.pidfd import identify
from services.executor.adapters.pipes import open_pipe, read_line
from services.executor.adapters.sealed_program import SealedProgram
from services.executor.domain import failure
from services.executor.domain.layout import Bundle, Layout
from services.executor.domain.record import Process
from services.executor.ports import Created
from shared import runc_ctl

#: conmon's order to open its log anew. Version 2.1.6 does not do it on SIGUSR1.
_REOPEN_LOG = b"2 0 0\n"
#: runc takes a twentieth of a second; a mount that hangs, for ever.
_CREATE_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conmon:
    """ports.Supervisor."""

    layout: Layout
    #: Absolute paths of the programs.
    conmon: str
    runc: str
    cgroups: HostCgroups
    one_call: OneCall
    sealed: SealedProgram
    #: What the runtime is told before its verb.
    runtime_args: tuple[str, ...] = ()

    async def create(self, container_id: str) -> Created:
        """Create the container from its bundle, and start it where that is one call.

        Raises InvalidArgument with the runtime's words, Unavailable where one of them was killed.
        Cancelled, it first sees the creation through; what was made is the caller's to remove.
        """
        bundle = self.layout.bundle(container_id)
        told = await self.one_call.args()
        command = "run" if told else "create"
        with spanned("conmon", container_id), RUNC_SECONDS.labels(command).time():
            result = await self._see_through(bundle, told)
        pid = int(result.get("data", -1))
        if pid <= 0:
            lacking = lacking_capabilities(bundle.spec)
            raise failure.not_created(container_id, _reason(bundle, result), lacking)
        return self._created(bundle, pid, started=bool(told))

    def find(self, container_id: str) -> Process | None:
        """Return the supervisor that a half-made start may have left running."""
        bundle = self.layout.bundle(container_id)
        process = _identify(bundle.conmon_pid_file)
        if process is None:
            return None
        # The file may be older than the process that has its pid now.
        try:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return process if os.fsencode(bundle.path) in command else None

    def reopen_log(self, container_id: str) -> None:
        """Tell the supervisor that its log was renamed; a supervisor that ended is no error."""
        control = self.layout.bundle(container_id).control
        try:
            fd = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return  # nobody reads it any more, or it is gone
        try:
            os.write(fd, _REOPEN_LOG)
        finally:
            os.close(fd)

    async def _see_through(self, bundle: Bundle, told: tuple[str, ...]) -> dict[str, Any]:
        """Launch conmon and let nobody cut that short: one killed while it forks can't be found."""
        launch = asyncio.create_task(self._launch(bundle, told))
        try:
            return await asyncio.shield(launch)
        except asyncio.CancelledError:
            await asyncio.gather(launch, return_exceptions=True)
            raise

    async def _launch(self, bundle: Bundle, told: tuple[str, ...]) -> dict[str, Any]:
        with open_pipe() as sync, open_pipe() as start:
            with spanned("conmon start", bundle.container_id):
                process = await self._spawn(bundle, told, sync.write_end, start.read_end)
            moving = asyncio.create_task(self._move(bundle.container_id, process))
            try:
                async with asyncio.timeout(_CREATE_LIMIT_S):
                    with spanned("runc run" if told else "runc create", bundle.container_id):
                        os.write(start.write_end, b"\0")
                        sync.close_write_end()
                        answer = await read_line(sync.read_end)
                    with spanned("conmon detach", bundle.container_id):
                        _, complaint = await process.communicate()
                        await moving
            except TimeoutError as error:
                raise failure.creation_hangs(bundle.container_id, _CREATE_LIMIT_S) from error
            except BrokenPipeError as error:
                raise failure.supervisor_killed(bundle.container_id) from error
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()  # only what did not even fork yet: else it has ended by itself
                await asyncio.gather(process.wait(), moving, return_exceptions=True)
        if not answer and not complaint:
            raise failure.supervisor_killed(bundle.container_id)
        if not answer:
            return {"message": complaint.decode(errors="replace")}
        return dict(json.loads(answer))

    async def _move(self, container_id: str, launched: asyncio.subprocess.Process) -> None:
        """Move the supervisor to its cgroup once it has forked, while runc creates.

        The kernel lets who moves a process wait, and runc, which moves the container's, with it.
        """
        await launched.wait()
        supervisor = self.find(container_id)
        if supervisor is not None:
            with spanned("conmon cgroup", container_id):
                await asyncio.to_thread(self.cgroups.admit_supervisor, supervisor.pid)

    async def _spawn(
        self, bundle: Bundle, told: tuple[str, ...], sync_fd: int, start_fd: int
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command(bundle, told),
            cwd=bundle.path,  # it writes a file "oom" here as well
            env=_environment(sync_fd, start_fd),
            pass_fds=(sync_fd, start_fd),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    def _command(self, bundle: Bundle, told: tuple[str, ...]) -> list[str]:
        name = bundle.container_id
        return [
            *(self.conmon, "--api-version", "1", "--log-level", "warning"),
            *("-c", name, "-u", name, "-n", name),
            *("-b", str(bundle.path), "--persist-dir", str(bundle.path), "--full-attach"),
            *("-p", str(bundle.pid_file), "-P", str(bundle.conmon_pid_file)),
            *("-l", f"k8s-file:{bundle.log}", "--no-sync-log"),
            *("-r", self.sealed.path() if told else self.runc),
            f"--runtime-arg=--root={self.layout.state_root}",
            *(f"--runtime-arg=--log={_runc_log(bundle)}", "--runtime-arg=--log-format=json"),
            *(f"--runtime-arg={arg}" for arg in (*self.runtime_args, *told)),
        ]

    def _created(self, bundle: Bundle, pid: int, *, started: bool) -> Created:
        self.cgroups.admit_strays(bundle.container_id, pid)
        init, conmon = identify(pid), _identify(bundle.conmon_pid_file)
        # A program that was started may have ended by itself; then its exit is recorded.
        if conmon is None and not bundle.exit_file.exists():
            raise failure.supervisor_killed(bundle.container_id)
        if init is None and not started:
            raise failure.supervisor_killed(bundle.container_id)
        return Created(init=init or _gone(pid), conmon=conmon or _gone(pid), started=started)


def _gone(pid: int) -> Process:
    """Return a process that has ended: no later one is taken for it."""
    return Process(pid=pid, birth="ended")


def _environment(sync_fd: int, start_fd: int) -> dict[str, str]:
    # Nothing else of ours: NOTIFY_SOCKET and LISTEN_PID, for two, would change what runc does.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "_OCI_SYNCPIPE": str(sync_fd),
        "_OCI_STARTPIPE": str(start_fd),
    }


def _identify(pid_file: Path) -> Process | None:
    try:
        return identify(int(pid_file.read_text()))
    except (FileNotFoundError, ValueError):
        return None


def _runc_log(bundle: Bundle) -> Path:
    return bundle.path / "runc.log"


def _reason(bundle: Bundle, result: dict[str, Any]) -> str:
    """Return all that runc complained about: the first complaint often names the cause."""
    with contextlib.suppress(FileNotFoundError):
        entries = runc_ctl.error_from_log(_runc_log(bundle).read_text()).log
        said = [entry.message for entry in entries if entry.is_error]
        if said:
            # Docker's clients know a failure by the name of the call that dockerd makes.
            return ": ".join(said).replace("runc run failed: ", "runc create failed: ")
    return str(result.get("message", "")).strip() or "runc gave no reason"
