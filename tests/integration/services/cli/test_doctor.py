"""`wherry doctor` on this very host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def _doctor(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "doctor", "--json"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.root
def test_a_host_on_which_these_tests_run_bears_plugins(tmp_path: Path) -> None:
    """No problem is found, and nothing is made while it is looked."""
    done = _doctor(WHERRY_ROOT=str(tmp_path / "none"), WHERRY_EXEC_ROOT="/run/none")
    findings = {one["subject"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 0, findings
    assert findings["runc"]["found"].startswith("runc version")
    assert {"cgroups", "kernel", "data root", "redis"} <= set(findings)
    assert not (tmp_path / "none").exists()


def test_a_redis_that_is_not_there_and_a_program_that_is_missing(tmp_path: Path) -> None:
    """Both are problems, told with what to do, and the exit status says so."""
    done = _doctor(
        WHERRY_ROOT=str(tmp_path),
        WHERRY_REDIS_URL=f"unix://{tmp_path}/redis.sock",
        WHERRY_CONMON="no-such-conmon",
    )
    findings = {one["subject"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert findings["redis"]["verdict"] == findings["conmon"]["verdict"] == "problem"
    assert findings["conmon"]["advice"]
