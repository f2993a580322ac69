from __future__ import annotations

from pathlib import Path

import pytest

from shared import errdefs
from shared.node.config import NodeConfig
from shared.node.redis_url import named_redis


def test_the_services_name_and_its_password_come_into_the_address(tmp_path: Path) -> None:
    """One environment does for all services: each has its own user and password file."""
    (tmp_path / "store").write_text("s/e:c@ret\n")
    env = {
        "WHERRY_REDIS_URL": "redis://{service}.n1@redis:6379/0",
        "WHERRY_REDIS_PASSWORD_FILE": f"{tmp_path}/{{service}}",
    }
    assert named_redis(env, "store") == "redis://store.n1:s%2Fe%3Ac%40ret@redis:6379/0"


def test_a_password_for_nobody_in_particular(tmp_path: Path) -> None:
    """Without a user it is the default user's."""
    (tmp_path / "p").write_text("secret")
    env = {
        "WHERRY_REDIS_URL": "redis://redis:6379/0",
        "WHERRY_REDIS_PASSWORD_FILE": f"{tmp_path}/p",
    }
    assert named_redis(env, "store") == "redis://:secret@redis:6379/0"
    assert "secret" not in repr(NodeConfig.from_env(env, "store"))


def test_a_redis_that_is_nobodys_is_not_made_up() -> None:
    """A password file alone names no Redis; and who is no service reads no password."""
    assert named_redis({"WHERRY_REDIS_PASSWORD_FILE": "/none"}, "store") == ""
    env = {"WHERRY_REDIS_URL": "redis://r", "WHERRY_REDIS_PASSWORD_FILE": "/none"}
    assert named_redis(env, "") == "redis://r"


def test_a_password_that_is_missing_or_said_twice(tmp_path: Path) -> None:
    """The error names the variable and what to do."""
    env = {"WHERRY_REDIS_URL": "redis://r", "WHERRY_REDIS_PASSWORD_FILE": f"{tmp_path}/none"}
    with pytest.raises(errdefs.InvalidArgument, match=r"WHERRY_REDIS_PASSWORD_FILE=.*No such file"):
        named_redis(env, "store")
    (tmp_path / "p").write_text("a")
    env = {"WHERRY_REDIS_URL": "redis://u:b@r", "WHERRY_REDIS_PASSWORD_FILE": f"{tmp_path}/p"}
    with pytest.raises(errdefs.InvalidArgument, match="take it out of one"):
        named_redis(env, "store")
