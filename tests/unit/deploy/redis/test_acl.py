from __future__ import annotations

import hashlib
import importlib
import stat
from pathlib import Path

import pytest

from deploy.redis.__main__ import write
from deploy.redis.acl import users
from deploy.redis.services import SERVICES
from services.parent.config import ParentConfig
from shared.node.config import NodeConfig

_NAMES = [service.name for service in SERVICES]


def test_each_service_of_a_node_has_a_row() -> None:
    """The table knows the services that a node has, and whom it names are in it."""
    node = ParentConfig.of(NodeConfig.from_env({"WHERRY_NODE": "any"}))
    assert sorted(_NAMES) == sorted(service.name for service in node.services)
    for service in SERVICES:
        named = {*service.sends_to, *service.follows, *service.watches, *service.sends_to_any}
        assert named <= set(_NAMES)


@pytest.mark.parametrize("owner", ["store", "volume", "controller", "gateway", "executor"])
def test_who_publishes_knows_all_who_subscribe(owner: str) -> None:
    """Nothing leaves a stream that somebody in the table follows and has not settled."""
    readers = importlib.import_module(f"services.{owner}.bootstrap").READERS
    assert sorted(readers) == sorted(one.name for one in SERVICES if owner in one.follows)


def test_lines_hold_hashes_and_begin_with_nothing_allowed() -> None:
    """A user has no key and no command but those that follow, and its password is not there."""
    lines = list(users("n1", dict.fromkeys(_NAMES, "hush")))
    assert len(lines) == len(_NAMES)
    digest = hashlib.sha256(b"hush").hexdigest()
    for name, line in zip(_NAMES, lines, strict=True):
        assert line.startswith(f"user {name}.n1 on #{digest} resetkeys resetchannels -@all ")
        assert "hush" not in line
        assert "~*" not in line


def test_passwords_are_kept_and_nodes_may_be_added(tmp_path: Path) -> None:
    """A repeat changes no password, and files are their reader's alone."""
    uid = tmp_path.stat().st_uid
    write(tmp_path, ["a"], redis_uid=uid)
    before = (tmp_path / "a" / "store").read_text()
    write(tmp_path, ["a", "b"], redis_uid=uid)
    assert (tmp_path / "a" / "store").read_text() == before
    assert (tmp_path / "b" / "store").read_text() != before
    users_file = tmp_path / "users.acl"
    assert "user store.b on" in users_file.read_text()
    assert stat.S_IMODE(users_file.stat().st_mode) == 0o400
