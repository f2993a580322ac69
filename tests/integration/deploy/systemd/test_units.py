"""The units, read by systemd's own tool."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest

from tests.support.node import SERVICES

_UNITS = Path(__file__).parents[4] / "deploy" / "systemd"
#: Each gives a unit a mount namespace of its own.
_NAMESPACED = {
    *("PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectSystem", "ProtectHome"),
    *("ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs"),
    *("ProtectControlGroups", "ProtectHostname", "ReadWritePaths", "RootDirectory"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a system on which the units are installed, with stand-ins for the programs."""
    top = tmp_path_factory.mktemp("system")
    units = top / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for unit in _UNITS.iterdir():
        (units / unit.name).write_text(unit.read_text())
    for program in ("opt/wherry/bin/python", "opt/wherry/bin/wherry", "usr/bin/redis-server"):
        _stand_in(top / program)
    _stand_in(top / "bin" / "true")
    for target in ("basic", "sysinit", "shutdown", "multi-user", "default"):
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    return top


def _stand_in(program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def _settings(unit: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names have capitals
    parser.read(_UNITS / f"wherry-{unit}.service")
    return parser["Service"]


def test_systemd_understands_each_unit(root: Path) -> None:
    """systemd-analyze verify has nothing to complain of: no unknown key, program or dependency."""
    units = sorted(unit.name for unit in _UNITS.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_key_that_is_wrong_would_be_told(root: Path) -> None:
    """The tool does look: a unit with a slip is not passed."""
    bad = root / "etc" / "systemd" / "system" / "bad.service"
    bad.write_text((_UNITS / "wherry-event.service").read_text().replace("KillMode", "KilMode"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", "bad.service"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    bad.unlink()
    assert "KilMode" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_unit_that_leaves_plugins_alone(service: str) -> None:
    """Only the service's own process is killed with it; it is watched, and always started anew."""
    settings = _settings(service)
    assert settings["ExecStart"].endswith(f"services.{service}")
    assert settings["KillMode"] == "process"
    assert settings["Type"] == "notify"
    assert int(settings["WatchdogSec"]) > 0
    assert settings["Restart"] == "always"


@pytest.mark.parametrize("service", ["executor", "store", "volume"])
def test_mounts_are_not_hidden(service: str) -> None:
    """Who mounts for plugins, or must see what they mounted, is in the host's mount namespace."""
    assert not _NAMESPACED & set(_settings(service))


@pytest.mark.parametrize("service", sorted({*SERVICES, "redis"} - {"executor"}))
def test_exposure_is_low(root: Path, service: str) -> None:
    """Systemd's own rating of the sandbox stays below what a unit without one gets."""
    limit = "65" if service in {"store", "volume"} else "50"
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager"),
            *(f"--threshold={limit}", f"wherry-{service}.service"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]
