"""The file of the privilege policy: read at every pull, refused with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.pull.adapters.privilege_file import PrivilegeFile
from shared import errdefs
from shared.oci import reference
from shared.oci.privileges import PluginPrivilege

_HOST = PluginPrivilege(name="network", value=("host",))


def write(folder: Path, content: Any) -> Path:
    """Write the file."""
    path = folder / "privileges.json"
    path.write_text(json.dumps(content))
    return path


def test_names_and_values_are_read_anew_each_time(tmp_path: Path) -> None:
    """A change counts at the next pull; prefixes are written as the trust policy has them."""
    ref = reference.parse("reg.test/team/p")
    allow = ["capabilities", {"name": "network", "value": ["host"]}]
    file = PrivilegeFile(write(tmp_path, [{"prefix": "REG.test:443/team/", "allow": allow}]))
    file.current().check(ref, [_HOST])

    write(tmp_path, [{"prefix": "reg.test", "allow": []}])

    with pytest.raises(errdefs.PermissionDenied, match="network host"):
        file.current().check(ref, [_HOST])


def test_without_a_file_there_are_no_limits() -> None:
    """A node that names no policy has none."""
    PrivilegeFile(None).current().check(reference.parse("reg.test/p"), [_HOST])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "valid array"),
        ([{"prefix": "reg.test"}], "0.allow: Field required"),
        ([{"prefix": "reg.test", "allow": [], "mode": "x"}], "0.mode: Extra inputs"),
        ([{"prefix": "reg.test", "allow": [{"name": "mount"}]}], "0.allow.0"),
        ([{"prefix": "team", "allow": []}], "names no registry"),
        ([{"prefix": p, "allow": []} for p in ("reg.test", "reg.test/")], "two rules for"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: Any, text: str) -> None:
    """A policy that can't be meant is refused with its path and what to do."""
    path = write(tmp_path, content)

    with pytest.raises(errdefs.InvalidArgument) as refused:
        PrivilegeFile(path).current()

    assert refused.value.message.startswith(f"privilege policy {path}: ")
    assert text in refused.value.message


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    """Who names a policy means it."""
    with pytest.raises(errdefs.InvalidArgument, match="it can't be read: No such file"):
        PrivilegeFile(tmp_path / "no").current()
