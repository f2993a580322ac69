"""Where runc_ctl comes from, stand-ins for runc, and what every test must leave behind: nothing."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("runc_ctl") is None:
    # No wheel is installed: the folder above is the package.
    sys.path.append(str(Path(__file__).parents[2]))

#: Reads runc's global flags away, so that $1 is the subcommand and $log the log file.
_PREAMBLE = """#!/bin/sh
while :; do
  case $1 in
    --log) log=$2; shift 2 ;;
    --log-format|--root|--rootless) shift 2 ;;
    --debug|--systemd-cgroup) shift ;;
    *) break ;;
  esac
done
"""

MakeFake = Callable[[str], str]


@pytest.fixture
def fake(tmp_path: Path) -> MakeFake:
    """Make a stand-in for runc out of a few lines of shell; returns its path."""

    def make(script: str) -> str:
        path = tmp_path / "runc"
        path.write_text(_PREAMBLE + script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a child, a descriptor or a temporary file."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    descriptors, children = _descriptors(), _children()

    yield

    assert list(temp.iterdir()) == []
    assert _descriptors() == descriptors
    assert _children() == children


def _descriptors() -> set[str]:
    return set(filter(None, map(_what_runs_leave, Path("/proc/self/fd").iterdir())))


def _what_runs_leave(fd: Path) -> str:
    try:
        target = str(fd.readlink())
    except OSError:  # the one the listing itself used
        return ""
    kept = target.startswith(("pipe:", "anon_inode:[pidfd]", "/dev/null"))
    return f"{fd.name} {target}" if kept else ""


def _children() -> set[str]:
    """Return pid and name of each child, the dead ones that nobody reaped too."""
    me = str(os.getpid())
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text(errors="replace")
        except OSError:
            continue
        named, _, rest = text.rpartition(")")
        if rest.split()[1] == me:
            found.add(named)
    return found
