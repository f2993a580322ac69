"""Programs tell their versions to whoever asks first, and are asked once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.gateway.adapters.programs import InstalledPrograms
from services.gateway.domain.host import Versions


def _program(folder: Path, name: str, does: str) -> tuple[str, str]:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho asked >> {path}.asked\n{does}\n")
    path.chmod(0o755)
    return name, str(path)


@pytest.fixture
def runc(tmp_path: Path) -> tuple[str, str]:
    """Give a runc that tells its version."""
    return _program(tmp_path, "runc", "echo runc version 1.2.3; echo commit: abc")


async def test_whoever_asks_first_has_them_all(runc: tuple[str, str], tmp_path: Path) -> None:
    """Several who ask at once have what one question found."""
    conmon = _program(tmp_path, "conmon", "echo conmon version 2.1.6; echo commit: unknown")
    programs = InstalledPrograms((runc, conmon))
    assert (programs.found, programs.are_known) == ({}, False)

    answers = await asyncio.gather(*(programs.known() for _ in range(3)))

    wanted = {
        "runc": Versions(version="1.2.3", commit="abc"),
        "conmon": Versions(version="2.1.6", commit=""),
    }
    assert answers == [wanted] * 3
    assert (programs.found, programs.are_known) == (wanted, True)
    assert (tmp_path / "runc.asked").read_text() == "asked\n"


async def test_one_that_tells_nothing_stays_unknown(runc: tuple[str, str], tmp_path: Path) -> None:
    """A program that is missing, or says no version, hides no other."""
    mute = _program(tmp_path, "conmon", "exit 1")
    programs = InstalledPrograms((mute, ("redis", str(tmp_path / "none")), runc))

    assert list(await programs.known()) == ["runc"]


async def test_who_leaves_while_they_are_asked_leaves_the_question_to_the_next(
    runc: tuple[str, str], tmp_path: Path
) -> None:
    """A client that hung up takes no answer from the others."""
    conmon = _program(tmp_path, "conmon", "echo conmon version 2.1.6")
    programs = InstalledPrograms((runc, conmon))
    first = asyncio.create_task(programs.known())
    await asyncio.sleep(0)
    first.cancel()

    assert list(await programs.known()) == ["runc", "conmon"]
