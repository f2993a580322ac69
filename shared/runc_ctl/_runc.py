"""The runc command: a value, and a coroutine per subcommand."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, TypeVar

from ._call import Call
from ._criu_opts import CheckpointOpts, RestoreOpts
from ._errors import RuncError, Timeout
from ._features import Features, Version
from ._opts import (
    CreateOpts,
    DeleteOpts,
    EventsOpts,
    ExecOpts,
    KillOpts,
    RunOpts,
    UpdateOpts,
)
from ._state import Container
from ._stats import Event, Stats

T = TypeVar("T")

_MNT_DETACH = 2
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runc:
    """A runc binary and what applies to every call of it.

    Every coroutine may be cancelled: runc and what it started are killed and reaped first.
    """

    #: Name on PATH or path of the binary.
    command: str = "runc"
    #: State root; None for runc's own default.
    root: Path | None = None
    #: Log more; of use with `log`, and in the `log` of an error.
    debug: bool = False
    #: Where the log lines of every call are added, as JSON. Errors carry theirs without it.
    log: Path | None = None
    systemd_cgroup: bool = False
    #: Ignore cgroup permission errors; None lets runc find out.
    rootless: bool | None = None
    #: How long a call may take; not for `events`, nor where the end of a process is awaited.
    timeout_s: float | None = None
    #: Global flags this package does not know.
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the global flags, without those of the log."""
        flags: list[str] = []
        if self.root is not None:
            flags += ["--root", str(self.root)]
        if self.debug:
            flags.append("--debug")
        if self.systemd_cgroup:
            flags.append("--systemd-cgroup")
        if self.rootless is not None:
            flags += ["--rootless", str(self.rootless).lower()]
        return (*flags, *self.extra_args)

    async def create(self, container_id: str, bundle: Path, opts: CreateOpts | None = None) -> None:
        """Create a container from *bundle*; its process waits for `start`.

        A cancelled call takes the half made container back. Raises ContainerExists.
        """
        opts = opts or CreateOpts()
        call = self._call(
            "create", "--bundle", str(bundle), *opts.args(), container_id=container_id
        )
        await self._make(call, container_id, (*opts.stdio.fds(), *opts.preserve_fds))

    async def start(self, container_id: str) -> None:
        """Let the process of a created container go. Raises WrongState if it went before."""
        await self._call("start", container_id=container_id).answer()

    async def run(self, container_id: str, bundle: Path, opts: RunOpts | None = None) -> int:
        """Create, start, wait for and delete a container; return its exit status.

        The status is 128+n after signal n, and 0 at once with *detach*. A cancelled call
        takes the container back.
        """
        opts = opts or RunOpts()
        call = self._call(
            "run",
            "--bundle",
            str(bundle),
            *opts.args(),
            container_id=container_id,
            waits=not opts.detach,
        )
        return await self._make(call, container_id, (*opts.stdio.fds(), *opts.preserve_fds))

    async def exec(
        self, container_id: str, args: Sequence[str] = (), opts: ExecOpts | None = None
    ) -> int:
        """Run another process in a container and return its exit status.

        The status is 128+n after signal n, and 0 at once with *detach*. *args* stay empty
        if *opts* name a process file. A cancelled call kills the process, but not what the
        process itself started. Raises RuncError if the command can't be run at all.
        """
        opts = opts or ExecOpts()
        call = self._call(
            "exec",
            *opts.args(),
            container_id=container_id,
            trailing=tuple(args),
            waits=not opts.detach,
        )
        return await call.attach((*opts.stdio.fds(), *opts.preserve_fds))

    async def state(self, container_id: str) -> Container:
        """Return what runc holds for the id."""
        call = self._call("state", container_id=container_id)
        return _read(call, await call.answer(), lambda text: Container.from_json(json.loads(text)))

    async def list(self) -> tuple[Container, ...]:
        """Return the containers of this state root."""
        call = self._call("list", "--format", "json")
        return _read(call, await call.answer(), _containers)

    async def kill(
        self,
        container_id: str,
        signal: Signals | int | str = Signals.SIGTERM,
        opts: KillOpts | None = None,
    ) -> None:
        """Send the init process a signal. Raises ContainerNotRunning if it has ended."""
        name = str(int(signal)) if isinstance(signal, int) else signal
        flags = (opts or KillOpts()).args()
        await self._call("kill", *flags, container_id=container_id, trailing=(name,)).answer()

    async def delete(self, container_id: str, opts: DeleteOpts | None = None) -> None:
        """Delete a stopped container, or any with *force*. Raises WrongState if it runs.

        Raises RuncError, and is to be repeated, when something of it could not be removed: runc
        itself exits with 0 then, and says so in its log only.
        """
        flags = (opts or DeleteOpts()).args()
        await self._call("delete", *flags, container_id=container_id).answer(heeds_log=True)

    async def pause(self, container_id: str) -> None:
        """Freeze every process of a container. Raises WrongState if it is frozen or ended.

        runc says "not running" of a frozen one too: the class does not tell the two apart.
        """
        await self._call("pause", container_id=container_id).answer()

    async def resume(self, container_id: str) -> None:
        """Thaw a paused container. Raises WrongState if it is not paused."""
        await self._call("resume", container_id=container_id).answer()

    async def ps(self, container_id: str) -> tuple[int, ...]:
        """Return the pids in a container, as the host counts; none if it has stopped."""
        call = self._call("ps", "--format", "json", container_id=container_id)
        return _read(
            call, await call.answer(), lambda text: tuple(map(int, json.loads(text) or ()))
        )

    async def update(self, container_id: str, opts: UpdateOpts) -> None:
        """Change the limits of a container."""
        await self._call("update", *opts.args(), container_id=container_id).answer()

    async def events(
        self, container_id: str, opts: EventsOpts | None = None
    ) -> AsyncGenerator[Event, None]:
        """Yield the container's events until its cgroup is gone; closing it ends runc.

        On cgroup v1 a stopped container keeps its cgroup until `delete`, so do not wait here
        for the end of a container. Close at a known time with `contextlib.aclosing`.
        """
        flags = (opts or EventsOpts()).args()
        call = self._call("events", *flags, container_id=container_id, waits=True)
        async with aclosing(call.lines()) as lines:
            async for line in lines:
                yield _read(call, line, lambda text: Event.from_json(json.loads(text)))

    async def stats(self, container_id: str) -> Stats:
        """Return the container's figures of now (``runc events --stats``)."""
        call = self._call("events", "--stats", container_id=container_id)
        return _read(
            call, await call.answer(), lambda text: Stats.from_json(json.loads(text)["data"])
        )

    async def checkpoint(self, container_id: str, opts: CheckpointOpts | None = None) -> None:
        """Save a running container to disk with criu, and stop it unless told otherwise."""
        flags = (opts or CheckpointOpts()).args()
        await self._call("checkpoint", *flags, container_id=container_id).answer()

    async def restore(
        self, container_id: str, bundle: Path, opts: RestoreOpts | None = None
    ) -> int:
        """Bring a checkpointed container back and return its exit status, as `run` does."""
        opts = opts or RestoreOpts()
        call = self._call(
            "restore",
            "--bundle",
            str(bundle),
            *opts.args(),
            container_id=container_id,
            waits=not opts.detach,
        )
        return await self._make(call, container_id, opts.stdio.fds())

    async def spec(self, bundle: Path, *, rootless: bool = False) -> None:
        """Write a config.json to start from into *bundle*; one that is there is an error."""
        flags = ("--rootless",) if rootless else ()
        await self._call("spec", "--bundle", str(bundle), *flags).answer()

    async def features(self) -> Features:
        """Return what this runc was built with. Raises Unsupported before runc 1.1."""
        call = self._call("features")
        return _read(call, await call.answer(), lambda text: Features.from_json(json.loads(text)))

    async def version(self) -> Version:
        """Return the versions of runc and of what is in it."""
        call = self._call("--version")
        return _read(call, await call.answer(), Version.from_text)

    def _call(
        self,
        subcommand: str,
        *flags: str,
        container_id: str | None = None,
        trailing: tuple[str, ...] = (),
        waits: bool = False,
    ) -> Call:
        name = () if container_id is None else (container_id,)
        return Call(
            program=(self.command, *self.args()),
            args=(subcommand, *flags, *name, *trailing),
            subject=" ".join(("runc", subcommand, *name)),
            timeout_s=self.timeout_s,
            waits=waits,
            keep_log=self.log,
        )

    async def _make(self, call: Call, container_id: str, fds: Sequence[int | None]) -> int:
        """Run a call that makes a container; take a half made one back."""
        # One that was there before is not ours, whatever becomes of the call.
        existed = (self._state_root() / container_id).exists()
        try:
            return await call.attach(fds)
        except (asyncio.CancelledError, Timeout) as error:
            if not existed:
                await self._take_back(container_id, error)
            raise

    async def _take_back(self, container_id: str, error: BaseException) -> None:
        # A child of runc mounts runc itself there for a moment, to run from what nobody can write
        # to; killed just then it leaves that, and runc can't delete the folder.
        for copy in (self._state_root() / container_id).glob("runc.*"):
            _libc.umount2(os.fsencode(copy), _MNT_DETACH)
        try:
            await self._call("delete", "--force", container_id=container_id).insist()
        except RuncError as left:
            error.add_note(f"a half made container may be left: {left}")

    def _state_root(self) -> Path:
        # As runc picks its default.
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        own = Path(runtime) if runtime and os.geteuid() != 0 else Path("/run")
        return self.root or own / "runc"


def _containers(text: str) -> tuple[Container, ...]:
    rows: list[dict[str, Any]] | None = json.loads(text)
    return tuple(map(Container.from_json, rows or ()))  # runc prints null for none


def _read(call: Call, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RuncError(
            f"printed what is not understood: {text.strip()[:200]!r} ({error})",
            subject=call.subject,
            command=call.program + call.args,
            returncode=0,
        ) from error
