"""What one call may be told besides its container: a frozen value per subcommand.

`args` returns the flags. `extra_args` go in after them, for what runc learns after this was
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ._io import Stdio


def flags_of(**values: object) -> Iterator[str]:
    """Spell named values as runc's flags; None, False and the empty tuple say nothing."""
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        match value:
            case None | False:
                continue
            case True:
                yield flag
            case tuple():
                for each in value:
                    yield from (flag, str(each))
            case _:
                yield from (flag, str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpts:
    """Options of `create`."""

    stdio: Stdio = field(default_factory=Stdio)
    #: Where runc writes the pid of the init process.
    pid_file: Path | None = None
    #: Unix socket that receives the terminal, if the spec wants one.
    console_socket: Path | None = None
    no_pivot: bool = False
    no_new_keyring: bool = False
    #: Descriptors the process gets as 3, 4, …; their numbers here don't matter.
    preserve_fds: tuple[int, ...] = ()
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(
            pid_file=self.pid_file,
            console_socket=self.console_socket,
            no_pivot=self.no_pivot,
            no_new_keyring=self.no_new_keyring,
            preserve_fds=len(self.preserve_fds) or None,
        )
        return (*flags, *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpts(CreateOpts):
    """Options of `run`."""

    detach: bool = False
    #: Leave the container's state when it ends.
    keep: bool = False
    no_subreaper: bool = False

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(detach=self.detach, keep=self.keep, no_subreaper=self.no_subreaper)
        return (*flags, *CreateOpts.args(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOpts:
    """Options of `exec`."""

    stdio: Stdio = field(default_factory=Stdio)
    #: An OCI process as JSON file, instead of arguments. The way for secrets: see `env`.
    process: Path | None = None
    cwd: str | None = None
    #: Added to the container's. Stands on runc's command line, so every user can read it.
    env: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False
    #: ``uid`` or ``uid:gid``.
    user: str | None = None
    additional_gids: tuple[int, ...] = ()
    detach: bool = False
    pid_file: Path | None = None
    console_socket: Path | None = None
    process_label: str | None = None
    apparmor: str | None = None
    no_new_privs: bool = False
    #: Capabilities to add, ``CAP_…``.
    cap: tuple[str, ...] = ()
    #: Descriptors the process gets as 3, 4, …; their numbers here don't matter.
    preserve_fds: tuple[int, ...] = ()
    #: ``[controller:]path`` below the container's cgroup. runc 1.1.
    cgroup: tuple[str, ...] = ()
    #: runc 1.1.
    ignore_paused: bool = False
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(
            process=self.process,
            cwd=self.cwd,
            env=tuple(f"{name}={value}" for name, value in self.env.items()),
            tty=self.tty,
            user=self.user,
            additional_gids=self.additional_gids,
            detach=self.detach,
            pid_file=self.pid_file,
            console_socket=self.console_socket,
            process_label=self.process_label,
            apparmor=self.apparmor,
            no_new_privs=self.no_new_privs,
            cap=self.cap,
            preserve_fds=len(self.preserve_fds) or None,
            cgroup=self.cgroup,
            ignore_paused=self.ignore_paused,
        )
        return (*flags, *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class KillOpts:
    """Options of `kill`."""

    #: Signal every process of the container, not only its first. Not needed since runc 1.2.
    all: bool = False
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        return (*flags_of(all=self.all), *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOpts:
    """Options of `delete`."""

    #: Kill it if it runs; a container that isn't there is then no error.
    force: bool = False
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        return (*flags_of(force=self.force), *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsOpts:
    """Options of `events`."""

    #: Between two sets of figures. OOM notices come at once.
    interval_s: float = 5.0
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        return (*flags_of(interval=f"{self.interval_s:f}s"), *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOpts:
    """Options of `update`: limits to change, in bytes, microseconds or runc's own units."""

    #: OCI ``linux.resources`` as JSON file; runc then ignores the rest.
    resources: Path | None = None
    blkio_weight: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_share: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    memory: int | None = None
    memory_reservation: int | None = None
    #: Memory and swap together; -1 for no limit.
    memory_swap: int | None = None
    pids_limit: int | None = None
    l3_cache_schema: str | None = None
    mem_bw_schema: str | None = None
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(
            resources=self.resources,
            blkio_weight=self.blkio_weight,
            cpu_period=self.cpu_period,
            cpu_quota=self.cpu_quota,
            cpu_share=self.cpu_share,
            cpu_rt_period=self.cpu_rt_period,
            cpu_rt_runtime=self.cpu_rt_runtime,
            cpuset_cpus=self.cpuset_cpus,
            cpuset_mems=self.cpuset_mems,
            memory=self.memory,
            memory_reservation=self.memory_reservation,
            memory_swap=self.memory_swap,
            pids_limit=self.pids_limit,
            l3_cache_schema=self.l3_cache_schema,
            mem_bw_schema=self.mem_bw_schema,
        )
        return (*flags, *self.extra_args)
