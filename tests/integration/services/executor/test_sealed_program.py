"""A program that is run from a sealed file in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from services.executor.adapters.sealed_program import SealedProgram


def _says(path: str) -> str:
    return subprocess.run([path, "hello"], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """Give the test a program of its own."""
    return Path(shutil.copy(shutil.which("echo") or "", tmp_path / "echo"))


def test_a_copy_is_run_that_nobody_can_change(echo: Path) -> None:
    """It is there without its file, and the same for everybody who asks."""
    sealed = SealedProgram(str(echo))

    path = sealed.path()

    assert path.startswith(f"/proc/{os.getpid()}/fd/")
    assert _says(path) == "hello\n"
    with Path(path).open("r+b", buffering=0) as file, pytest.raises(PermissionError):
        file.write(b"x")
    assert sealed.path() == path


def test_a_program_that_was_replaced_is_copied_anew(echo: Path, tmp_path: Path) -> None:
    """An upgrade of a package renames a new file over the old one."""
    sealed = SealedProgram(str(echo))
    before = sealed.path()
    new = Path(shutil.copy(shutil.which("false") or "", tmp_path / "new"))

    new.rename(echo)

    assert sealed.path() == before
    assert subprocess.run([before], check=False).returncode == 1


def test_what_is_no_program_is_run_as_it_is(tmp_path: Path) -> None:
    """A script, or nothing at all; once there is a program, it is copied."""
    path = tmp_path / "runc"
    sealed = SealedProgram(str(path))
    assert sealed.path() == str(path)

    path.write_text("#!/bin/sh\necho $1\n")
    path.chmod(0o755)
    assert sealed.path() == str(path)

    path.unlink()
    shutil.copy(shutil.which("echo") or "", path)
    assert _says(sealed.path()) == "hello\n"
