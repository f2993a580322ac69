"""runc's wording becomes classes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared import runc_ctl
else:
    import runc_ctl


def line(message: str, level: str = "error") -> str:
    return json.dumps({"level": level, "msg": message, "time": "2026-01-02T03:04:05Z"}) + "\n"


WORDINGS = {
    "container does not exist": runc_ctl.ContainerNotFound,
    "exec failed: container does not exist": runc_ctl.ContainerNotFound,
    'container "c1" does not exist': runc_ctl.ContainerNotFound,
    "runc create failed: container with given ID already exists": runc_ctl.ContainerExists,
    "container with id exists: c1": runc_ctl.ContainerExists,
    "container not running": runc_ctl.ContainerNotRunning,
    "container with id c1 is not running": runc_ctl.ContainerNotRunning,
    "exec failed: cannot exec in a stopped container": runc_ctl.ContainerNotRunning,
    "cannot exec a container that has stopped": runc_ctl.ContainerNotRunning,
    "cannot start a container that has stopped": runc_ctl.ContainerNotRunning,
    "container not running or created: paused": runc_ctl.WrongState,
    "cannot start an already running container": runc_ctl.WrongState,
    "container not paused": runc_ctl.WrongState,
    "exec failed: cannot exec in a paused container (use --ignore-paused to override)": (
        runc_ctl.WrongState
    ),
    "cannot delete container c1 that is not stopped: running": runc_ctl.WrongState,
    "container init still running": runc_ctl.WrongState,
    "error opening file `/run/crun/c1/status`: No such file or directory": (
        runc_ctl.ContainerNotFound
    ),
    "cannot open directory '/run/crun/c1': No such file or directory": runc_ctl.ContainerNotFound,
    "container `c1` already exists": runc_ctl.ContainerExists,
    "the container `c1` is not in `created` or `stopped` state": runc_ctl.WrongState,
    "cannot open `/run/crun/c1/exec.fifo`: No such file or directory": runc_ctl.WrongState,
    "No help topic for 'features'": runc_ctl.Unsupported,
    "flag provided but not defined: -cgroup": runc_ctl.Unsupported,
    "unable to apply caps: operation not permitted": runc_ctl.PermissionDenied,
    "write /proc/self/oom_score_adj: permission denied": runc_ctl.PermissionDenied,
    "garbage": runc_ctl.RuncError,
}


@pytest.mark.parametrize(("wording", "kind"), WORDINGS.items())
def test_each_wording_has_its_class(wording: str, kind: type[runc_ctl.RuncError]) -> None:
    """What runc says becomes exactly one class, and stays readable as the message."""
    error = runc_ctl.error_from_log(line(wording), returncode=1)

    assert type(error) is kind
    assert error.message == wording


def test_an_error_says_what_why_and_what_to_do() -> None:
    """The text names the call, runc's reason and the next step."""
    error = runc_ctl.error_from_log(line("container does not exist"), subject="runc state c1")

    assert str(error).startswith("runc state c1: container does not exist; see `runc list`")


def test_an_error_keeps_the_whole_log_and_the_command() -> None:
    """Warnings before the failure are kept as entries; the last error is the message."""
    text = line("slow disk", "warning") + line("first") + line("last")
    error = runc_ctl.error_from_log(text, command=("runc", "start", "c1"), returncode=1)

    assert [entry.level for entry in error.log] == ["warning", "error", "error"]
    assert (error.message, error.command, error.returncode) == ("last", ("runc", "start", "c1"), 1)
    assert error.log[0] == runc_ctl.LogEntry(
        level="warning", message="slow disk", time="2026-01-02T03:04:05Z"
    )


def test_the_cause_that_a_child_of_runc_told() -> None:
    """The fatal error of runc's C half is part of the message, and decides the class."""
    text = line("nsexec[7]: failed to update oom_score_adj: Permission denied", "fatal")
    text += line("can't get final child's PID from pipe: EOF")

    error = runc_ctl.error_from_log(text, returncode=1)

    assert isinstance(error, runc_ctl.PermissionDenied)
    assert error.message == (
        "can't get final child's PID from pipe: EOF"
        " (nsexec[7]: failed to update oom_score_adj: Permission denied)"
    )


def test_the_command_is_not_in_the_text() -> None:
    """A command line may hold secrets, so that printing an error does not print it."""
    error = runc_ctl.error_from_log("", command=("runc", "exec", "--env", "TOKEN=x"), returncode=1)

    assert "TOKEN" not in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cannot open log: no space\n", "cannot open log: no space"),
        ("[1, 2]\n", "[1, 2]"),
        ('{"msg": "no level"}\n', '{"msg": "no level"}'),
        ("", "exit status 1 without a word in its log"),
        (line("just so", "info"), "exit status 1 without a word in its log"),
    ],
)
def test_a_log_that_is_not_runcs_is_still_told(text: str, message: str) -> None:
    """Plain lines serve as the message if there is no error entry, and silence is named."""
    assert runc_ctl.error_from_log(text, returncode=1).message == message


def test_a_killed_runc_is_told_by_its_signal() -> None:
    """A runc that died of a signal says so, as its log can't."""
    assert runc_ctl.error_from_log("", returncode=-9).message == "killed by signal 9"
