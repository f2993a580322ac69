"""Logins from Docker's config.json and from credential helpers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from services.cli.adapters.docker_config import DockerConfig
from services.cli.domain.login import Login

_FOUND = """read server
printf '{"ServerURL":"%s","Username":"robin","Secret":"s3cret"}' "$server"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that is searched for programs first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def helper(programs: Path, name: str, script: str) -> None:
    """Put a credential helper there."""
    program = programs / f"docker-credential-{name}"
    program.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 9\n{script}')
    program.chmod(0o755)


def find(tmp_path: Path, domain: str, **config: object) -> Login:
    """Look a login up."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    return DockerConfig({"DOCKER_CONFIG": str(tmp_path)}).find(domain)


def test_a_helper_is_asked(tmp_path: Path, programs: Path) -> None:
    """It is told the registry, and its answer goes before what the file has."""
    helper(programs, "keys", _FOUND)

    login = find(tmp_path, "r.test", credsStore="keys", auths={"r.test": {"auth": "old"}})

    assert login.fields == {
        "username": "robin",
        "password": "s3cret",
        "serveraddress": "r.test",
    }
    assert login.note == ""


def test_a_helper_without_the_login_leaves_it_to_the_file(tmp_path: Path, programs: Path) -> None:
    """Who is not in the keyring may be in the file, or is nobody."""
    helper(programs, "keys", "echo 'credentials not found in native keychain'; exit 1")

    known = find(tmp_path, "r.test", credsStore="keys", auths={"r.test": {"auth": "a"}})
    unknown = find(tmp_path, "other.test", credsStore="keys")

    assert known.fields["auth"] == "a"
    assert unknown == Login()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo locked; exit 3", "it ended with status 3"),
        ("echo s3cret", "it answered with something else than a login"),
        (None, "it is not on PATH: install it"),
    ],
)
def test_a_helper_that_fails_is_told(
    tmp_path: Path, programs: Path, script: str | None, why: str
) -> None:
    """The pull goes on without a login; a person hears why, and no secret."""
    if script is not None:
        helper(programs, "keys", script)

    login = find(tmp_path, "r.test", credHelpers={"r.test": "keys"})

    assert login.fields == {}
    assert login.note == (
        f"not logged in to r.test: Docker keeps that login in docker-credential-keys, and {why}"
    )
