"""Options become runc's flags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from shared import runc_ctl
else:
    import runc_ctl


class Opts(Protocol):
    def args(self) -> tuple[str, ...]: ...


@pytest.mark.parametrize(
    ("opts", "args"),
    [
        (runc_ctl.CreateOpts(), ""),
        (
            runc_ctl.CreateOpts(
                pid_file=Path("/p"), console_socket=Path("/s"), no_pivot=True,
                no_new_keyring=True, preserve_fds=(9, 11), extra_args=("--new", "x"),
            ),
            ("--pid-file /p --console-socket /s --no-pivot --no-new-keyring"
             " --preserve-fds 2 --new x"),
        ),
        (
            runc_ctl.RunOpts(detach=True, keep=True, no_subreaper=True, no_pivot=True),
            "--detach --keep --no-subreaper --no-pivot",
        ),
        (
            runc_ctl.ExecOpts(
                cwd="/", env={"A": "1", "B": "2"}, tty=True, user="1:2", additional_gids=(3, 4),
                cap=("CAP_KILL",), cgroup=("sub",), ignore_paused=True, no_new_privs=True,
            ),
            ("--cwd / --env A=1 --env B=2 --tty --user 1:2 --additional-gids 3"
             " --additional-gids 4 --no-new-privs --cap CAP_KILL --cgroup sub --ignore-paused"),
        ),
        (runc_ctl.ExecOpts(process=Path("/p.json"), detach=True), "--process /p.json --detach"),
        (runc_ctl.KillOpts(all=True), "--all"),
        (runc_ctl.DeleteOpts(force=True), "--force"),
        (runc_ctl.EventsOpts(interval_s=0.25), "--interval 0.250000s"),
        (
            runc_ctl.UpdateOpts(memory=0, memory_swap=-1, pids_limit=7, cpuset_cpus="0-1"),
            "--cpuset-cpus 0-1 --memory 0 --memory-swap -1 --pids-limit 7",
        ),
        (
            runc_ctl.CheckpointOpts(image_path=Path("/i"), leave_running=True,
                empty_ns=("network",)),
            "--image-path /i --leave-running --empty-ns network",
        ),
        (
            runc_ctl.RestoreOpts(image_path=Path("/i"), detach=True, manage_cgroups_mode="full"),
            "--image-path /i --detach --manage-cgroups-mode full",
        ),
    ],
)  # fmt: skip
def test_options_become_flags(opts: Opts, args: str) -> None:
    """Only what is set is said, zero and minus one included."""
    assert opts.args() == tuple(args.split())


def test_global_flags() -> None:
    """What applies to every call comes before the subcommand."""
    runc = runc_ctl.Runc(
        root=Path("/r"), debug=True, systemd_cgroup=True, rootless=False, extra_args=("--criu", "c")
    )

    assert runc.args() == (
        *("--root", "/r", "--debug", "--systemd-cgroup", "--rootless", "false"),
        *("--criu", "c"),
    )
    assert runc_ctl.Runc().args() == ()
