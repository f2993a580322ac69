"""Wherry itself upgraded, service by service, while plugins run and verbs are said."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.adapters.gateway import UnixGateway
from tests.support.lone_services import LoneServices, running_alone
from tests.support.node import SERVICES
from tests.support.plugin_context import Contexts
from tests.support.redis import RedisServer

pytestmark = pytest.mark.root

_CODE = Path(__file__).parents[2]
_NEXT = "99.0.0"


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """Make a tree of the next release: another version, whose messages have one field more."""
    for package in ("services", "shared"):
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(_CODE / package, tmp_path / package, ignore=ignored)
    _change(tmp_path / "shared/version.py", r'VERSION = "[\d.]+"', f'VERSION = "{_NEXT}"')
    _change(
        tmp_path / "shared/contracts/message.py",
        r"    TYPE: ClassVar\[str\]\n",
        '    TYPE: ClassVar[str]\n    said_by_next: str = "news"\n',
    )
    return tmp_path


def _change(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{path} is not as this test thinks"
    path.write_text(text)


@pytest.fixture
def node() -> Iterator[LoneServices]:
    """Run a node whose services are started one by one."""
    with (
        RedisServer() as redis,
        running_alone("rolling", {"WHERRY_REDIS_URL": redis.url}) as services,
    ):
        yield services
        services.shut_down()
        assert not services.leftovers()


@pytest.mark.timeout(300)
def test_services_of_two_releases_understand_one_another(
    node: LoneServices, next_release: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each service is replaced in turn; verbs succeed in between, and the plugin is not touched."""
    contexts = Contexts.compiled(tmp_path_factory.mktemp("program"))
    for name in ("stays", "p"):
        node.create(name, contexts.tar())
    before = node.enable("stays")
    for service in SERVICES:
        node.stop_service(service)
        node.start_service(service, code=next_release)
        node.wait_healthy()
        node.enable("p")
        node.disable("p")
    health = UnixGateway(socket=node.socket).health()
    assert health is not None
    assert {one.version for one in health.services} == {_NEXT}
    assert node.status("stays") == before
    told = [action for action in node.told("p:latest") if action in {"enable", "disable"}]
    assert told == ["enable", "disable"] * len(SERVICES)
