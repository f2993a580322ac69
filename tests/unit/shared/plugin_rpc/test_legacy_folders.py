"""Where legacy plugins are found."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared import errdefs
from shared.plugin_rpc.endpoint import Tls
from shared.plugin_rpc.legacy_folders import LegacyFolders

_UNVERIFIED = Tls(insecure_skip_verify=True)


def _folders(root: Path) -> LegacyFolders:
    return LegacyFolders(sockets=root, specs=(root / "etc", root / "usr"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _socket(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize("place", ["echo.sock", "echo/echo.sock"])
def test_local_socket(tmp_path: Path, place: str) -> None:
    """A socket is found flat and in a folder of its name."""
    _socket(tmp_path / place)
    found = _folders(tmp_path).find("echo")
    assert (found.name, found.address) == ("echo", f"unix://{tmp_path / place}")
    assert found.tls == _UNVERIFIED


@pytest.mark.parametrize("place", ["etc/foo.spec", "etc/foo/foo.spec", "usr/foo.spec"])
@pytest.mark.parametrize(
    "address", ["unix://var/lib/docker/plugins/foo.sock", "tcp://localhost:8080"]
)
def test_i11_spec(tmp_path: Path, place: str, address: str) -> None:
    """A spec file, flat or nested, is one line with an address; no certificate is checked."""
    _write(tmp_path / place, f"{address}\n")
    found = _folders(tmp_path).find("foo")
    assert (found.name, found.address, found.tls) == ("foo", address, _UNVERIFIED)


def test_i11_spec_without_a_scheme(tmp_path: Path) -> None:
    """An address without a scheme is refused."""
    _write(tmp_path / "etc/bar.spec", "localhost:8080")
    with pytest.raises(errdefs.InvalidArgument, match="Unknown protocol"):
        _folders(tmp_path).find("bar")


def test_i12_json_spec(tmp_path: Path) -> None:
    """A JSON spec has the name of its file, and its TLS files are kept."""
    _write(
        tmp_path / "etc/example.json",
        '{"Name":"plugin-example","addr":"https://example.com/docker/plugin",'
        '"TLSConfig":{"CAFile":"/c/ca.pem","CertFile":"/c/cert.pem","KeyFile":"/c/key.pem"}}',
    )
    found = _folders(tmp_path).find("example")
    assert (found.name, found.address) == ("example", "https://example.com/docker/plugin")
    assert found.tls == Tls(ca_file="/c/ca.pem", cert_file="/c/cert.pem", key_file="/c/key.pem")


@pytest.mark.parametrize(
    ("config", "tls"), [("", None), (',"TLSConfig":{"CertFile":"/c"}', "/c"), ("{", "error")]
)
def test_i12_json_spec_and_tls(tmp_path: Path, config: str, tls: str | None) -> None:
    """Without TLS settings there are none; without an authority nothing is verified."""
    _write(tmp_path / "etc/example.json", f'{{"Addr":"https://example.com"{config}}}')
    if tls == "error":
        with pytest.raises(errdefs.InvalidArgument, match=r"example\.json does not say where"):
            _folders(tmp_path).find("example")
        return
    expected = Tls(cert_file=tls, insecure_skip_verify=True) if tls else None
    assert _folders(tmp_path).find("example").tls == expected


def test_order(tmp_path: Path) -> None:
    """A socket comes before a spec, a spec before JSON, and the first folder before the next."""
    folders = _folders(tmp_path)
    _write(tmp_path / "usr/p.spec", "tcp://usr:1")
    assert folders.find("p").address == "tcp://usr:1"
    _write(tmp_path / "etc/p.json", '{"Addr":"tcp://json:1"}')
    assert folders.find("p").address == "tcp://json:1"
    _write(tmp_path / "etc/p.spec", "tcp://spec:1")
    assert folders.find("p").address == "tcp://spec:1"
    _socket(tmp_path / "p.sock")
    assert folders.find("p").address == f"unix://{tmp_path}/p.sock"


@pytest.mark.parametrize("name", ["", "x", "../p", "a/../p", "/p", ".", "p\0"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    """A name that is no file's is not found, and none leads out of the folders."""
    _socket(tmp_path / "p.sock")
    folders = LegacyFolders(sockets=tmp_path / "a", specs=())
    with pytest.raises(errdefs.NotFound) as error:
        folders.find(name)
    assert error.value.message == f'plugin "{name}" not found'


def test_i13_scan(tmp_path: Path) -> None:
    """All that are found are named once; what is named otherwise than its folder is not."""
    assert _folders(tmp_path / "missing").names() == ()
    _socket(tmp_path / "s1.sock")
    _socket(tmp_path / "s2/s2.sock")
    _socket(tmp_path / "not-a-plugin/foo.sock")
    _write(tmp_path / "etc/not-a-plugin/foo.spec", "")
    assert _folders(tmp_path).names() == ("s1", "s2")
    _write(tmp_path / "etc/not-a-plugin/not-a-plugin.spec", "tcp://x:1")
    _write(tmp_path / "etc/j.json", "{}")
    _write(tmp_path / "usr/j.spec", "tcp://x:1")
    _write(tmp_path / "usr/readme.txt", "")
    assert _folders(tmp_path).names() == ("s1", "s2", "j", "not-a-plugin")


def test_a_name_too_long_for_a_file_is_not_found(tmp_path: Path) -> None:
    """A client's choice of a name is no error of the disk's."""
    (tmp_path / "etc").mkdir()
    with pytest.raises(errdefs.NotFound):
        _folders(tmp_path).find("p" * 300)


def test_i13_scan_passes_over_names_that_are_none(tmp_path: Path) -> None:
    """Neither a folder whose name has no room for a suffix hides the others, nor stray bytes."""
    (tmp_path / "etc" / ("p" * 255)).mkdir(parents=True)
    _write(tmp_path / "etc" / os.fsdecode(b"f\xe9e.spec"), "tcp://x:1")
    _socket(tmp_path / os.fsdecode(b"f\xe9e.sock"))
    _write(tmp_path / "etc/good.spec", "tcp://x:1")
    assert _folders(tmp_path).names() == ("good",)


def test_settings() -> None:
    """The folders are Docker's unless variables name others, which must be absolute."""
    assert LegacyFolders.from_env({}) == LegacyFolders(
        sockets=Path("/run/docker/plugins"),
        specs=(Path("/etc/docker/plugins"), Path("/usr/lib/docker/plugins")),
    )
    named = {"WHERRY_V1_PLUGIN_SOCKETS": "/s", "WHERRY_V1_PLUGIN_SPECS": "/a, /b"}
    assert LegacyFolders.from_env(named) == LegacyFolders(
        sockets=Path("/s"), specs=(Path("/a"), Path("/b"))
    )
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_V1_PLUGIN_SPECS=a: must be"):
        LegacyFolders.from_env({"WHERRY_V1_PLUGIN_SPECS": "a"})
    with pytest.raises(errdefs.InvalidArgument, match="must be one folder"):
        LegacyFolders.from_env({"WHERRY_V1_PLUGIN_SOCKETS": "/a,/b"})
