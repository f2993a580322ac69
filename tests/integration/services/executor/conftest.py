"""A real executor for every test, and nothing left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.containers import ExecutorNode, compile_program


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program that containers run."""
    return compile_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
async def node(program: Path) -> AsyncIterator[ExecutorNode]:
    """Give the test a node of its own."""
    node = ExecutorNode(program)
    await node.begin()
    yield node
    await node.end()
    assert node.mounts() == []
    assert node.cgroups() == []
