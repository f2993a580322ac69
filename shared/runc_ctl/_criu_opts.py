"""Options of `checkpoint` and `restore`, which runc hands to criu."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ._io import Stdio
from ._opts import flags_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointOpts:
    """Options of `checkpoint`."""

    image_path: Path | None = None
    work_path: Path | None = None
    parent_path: Path | None = None
    leave_running: bool = False
    tcp_established: bool = False
    ext_unix_sk: bool = False
    shell_job: bool = False
    lazy_pages: bool = False
    page_server: str | None = None
    file_locks: bool = False
    pre_dump: bool = False
    #: ``soft``, ``full`` or ``strict``.
    manage_cgroups_mode: str | None = None
    empty_ns: tuple[str, ...] = ()
    auto_dedup: bool = False
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(
            image_path=self.image_path,
            work_path=self.work_path,
            parent_path=self.parent_path,
            leave_running=self.leave_running,
            tcp_established=self.tcp_established,
            ext_unix_sk=self.ext_unix_sk,
            shell_job=self.shell_job,
            lazy_pages=self.lazy_pages,
            page_server=self.page_server,
            file_locks=self.file_locks,
            pre_dump=self.pre_dump,
            manage_cgroups_mode=self.manage_cgroups_mode,
            empty_ns=self.empty_ns,
            auto_dedup=self.auto_dedup,
        )
        return (*flags, *self.extra_args)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOpts:
    """Options of `restore`."""

    stdio: Stdio = field(default_factory=Stdio)
    image_path: Path | None = None
    work_path: Path | None = None
    pid_file: Path | None = None
    console_socket: Path | None = None
    detach: bool = False
    no_subreaper: bool = False
    no_pivot: bool = False
    tcp_established: bool = False
    ext_unix_sk: bool = False
    shell_job: bool = False
    lazy_pages: bool = False
    file_locks: bool = False
    #: ``soft``, ``full`` or ``strict``.
    manage_cgroups_mode: str | None = None
    empty_ns: tuple[str, ...] = ()
    auto_dedup: bool = False
    #: ``TYPE:NAME``. runc 1.1.
    lsm_profile: str | None = None
    #: runc 1.1.
    lsm_mount_context: str | None = None
    extra_args: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the flags."""
        flags = flags_of(
            image_path=self.image_path,
            work_path=self.work_path,
            pid_file=self.pid_file,
            console_socket=self.console_socket,
            detach=self.detach,
            no_subreaper=self.no_subreaper,
            no_pivot=self.no_pivot,
            tcp_established=self.tcp_established,
            ext_unix_sk=self.ext_unix_sk,
            shell_job=self.shell_job,
            lazy_pages=self.lazy_pages,
            file_locks=self.file_locks,
            manage_cgroups_mode=self.manage_cgroups_mode,
            empty_ns=self.empty_ns,
            auto_dedup=self.auto_dedup,
            lsm_profile=self.lsm_profile,
            lsm_mount_context=self.lsm_mount_context,
        )
        return (*flags, *self.extra_args)
