"""The executor's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.executor.config import ExecutorConfig
from shared import errdefs
from shared.node.config import NodeConfig


def _node(exec_root: str = "/run/w") -> NodeConfig:
    return NodeConfig.from_env({"WHERRY_EXEC_ROOT": exec_root, "WHERRY_NODE": "n"})


def test_defaults() -> None:
    """With no variable set, runc and conmon are found on PATH and 10 MiB of log are full."""
    config = ExecutorConfig.load(_node(), {})

    assert (config.runtimes.chosen.path, config.conmon) == ("runc", "conmon")
    assert config.log_max_bytes == 10 * 1024 * 1024
    assert config.layout.bundle("c-1").sockets == Path("/run/w/c/c-1/s")
    assert config.layout.cgroup_of("c-1") == "/wherry/n/c-1"


def test_variables_are_read() -> None:
    """Programs and limits can be named."""
    env = {
        "WHERRY_RUNC": "/opt/runc",
        "WHERRY_CONMON": "/opt/conmon",
        "WHERRY_LOG_MAX_BYTES": "4096",
    }

    config = ExecutorConfig.load(_node(), env)

    assert config.runtimes.chosen.path == "/opt/runc"
    assert (config.conmon, config.log_max_bytes) == ("/opt/conmon", 4096)


@pytest.mark.parametrize("size", ["0", "-1", "10MB", "1.5"])
def test_a_bad_size_is_named(size: str) -> None:
    """What is no number of bytes stops the start with the variable's name."""
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_LOG_MAX_BYTES"):
        ExecutorConfig.load(_node(), {"WHERRY_LOG_MAX_BYTES": size})


def test_a_long_exec_root_is_refused() -> None:
    """An exec root below which sockets could not be reached stops the start."""
    with pytest.raises(errdefs.InvalidArgument, match="107"):
        ExecutorConfig.load(_node("/" + "x" * 80), {})
