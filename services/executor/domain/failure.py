"""What a person is told when a container did not start."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence

from shared import errdefs
from shared.contracts.executor import Exit

_SIGNAL_BASE = 128


def not_ready(
    container_id: str, socket: str, error: int, deadline_s: float, output: Sequence[str]
) -> errdefs.Error:
    """Return the error for a container whose socket accepted no connection in time.

    Begins with the words that dockerd has for it: people search for them.
    """
    return errdefs.DeadlineExceeded(
        f"dial unix {socket}: connect: {reason(error)}: container {container_id} was not ready "
        f"after {deadline_s:g} s and was stopped; {_last(output)}",
        detail={"container_id": container_id, "output": list(output)},
        docker_unclassed=True,
    )


def ended_early(
    container_id: str, socket: str | None, ended: Exit, output: Sequence[str]
) -> errdefs.Error:
    """Return the error for a container that ended before it was ready."""
    before = f" before its socket {socket} accepted a connection" if socket else " at once"
    return errdefs.Error(
        f"container {container_id} {_how(ended)}{before}; {_last(output)}",
        detail={
            "container_id": container_id,
            "exit": ended.model_dump(),
            "output": list(output),
        },
        docker_unclassed=True,
    )


def already_exited(container_id: str, ended: Exit) -> errdefs.Conflict:
    """Return the error for a repeated start of a container that has ended since."""
    return errdefs.Conflict(
        f"container {container_id} has already {_how(ended)}; delete it and start a new one",
        detail={"container_id": container_id, "exit": ended.model_dump()},
    )


def not_prepared(container_id: str, error: OSError) -> errdefs.Error:
    """Return the error for a container whose folder or root file system could not be readied."""
    cause = f"container {container_id} was not prepared: {error.filename or 'a file'}: "
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return errdefs.ResourceExhausted(f"{cause}{error.strerror}; make room and start it again")
    return errdefs.Internal(
        f"{cause}{error.strerror or error}; see that the executor, as root, can write there"
    )


def not_created(
    container_id: str, runtime_says: str, lacking: Collection[str] = ()
) -> errdefs.Error:
    """Return the error for a container that runc could not create.

    *lacking* are capabilities that it asks for and this host does not have.
    """
    advice = "correct the container's configuration and start it again"
    if lacking:
        names = ", ".join(sorted(lacking))
        advice = f"it asks for {names}, which this host does not grant; run it where it is granted"
    elif "oom_score_adj" in runtime_says or "rlimit" in runtime_says.lower():
        advice = "this host lacks CAP_SYS_RESOURCE for it; run it where it is granted"
    elif "seccomp" in runtime_says.lower():
        advice = (
            "this host's runc, or its kernel, knows no seccomp; install a runc that does, or start "
            "the node with WHERRY_PLUGIN_SECCOMP=unconfined"
        )
    return errdefs.InvalidArgument(
        f"container {container_id} was not created: {runtime_says}; {advice}",
        detail={"container_id": container_id, "lacking": sorted(lacking)},
        docker_unclassed=True,
    )


def supervisor_killed(container_id: str) -> errdefs.Unavailable:
    """Return the error of a container that somebody killed while it was made, or its supervisor.

    No fault of its own, so it may be started again.
    """
    return errdefs.Unavailable(
        f"container {container_id} or its supervisor was killed while it was created; look for "
        "who kills processes here, and start it again"
    )


def creation_hangs(container_id: str, limit_s: float) -> errdefs.DeadlineExceeded:
    """Return the error for a container that runc did not come to an end with."""
    return errdefs.DeadlineExceeded(
        f"container {container_id} was not created within {limit_s:g} s; look for a mount of it "
        "that hangs, such as a network file system, and start it again",
        detail={"container_id": container_id},
        docker_unclassed=True,
    )


def reason(error: int) -> str:
    """Return the error number in the words that Go programs use."""
    return "connection refused" if error == errno.ECONNREFUSED else os.strerror(error).lower()


def _how(ended: Exit) -> str:
    if ended.oom_killed:
        return "ran out of memory and was killed"
    if ended.exit_code is None:
        return "ended with unknown exit code"
    if ended.exit_code > _SIGNAL_BASE:
        return f"exited with code {ended.exit_code} (signal {ended.exit_code - _SIGNAL_BASE})"
    return f"exited with code {ended.exit_code}"


def _last(output: Sequence[str]) -> str:
    if not output:
        return "it wrote no output"
    return "last output: " + "\n".join(output)
