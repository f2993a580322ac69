"""`wherry dockerd`: begun, ended and told as dockerd is, with the docker CLI beside it."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.authz import BEFORE, AuthzPlugin
from tests.support.daemon import Daemon, daemon
from tests.support.node import eventually, is_running
from tests.support.plugin_context import Contexts
from tests.support.registry import free_port
from tests.support.tls import Pair, issue, make_authority

#: How moby's own tests start a daemon, but for the roots.
_MOBY = (
    *("--containerd-namespace", "x", "--containerd-plugins-namespace", "xp"),
    *("--userland-proxy=false", "--debug", "--storage-driver", "vfs", "--iptables=false"),
)


@pytest.fixture
def own() -> Iterator[Daemon]:
    """Give a daemon of the test's own."""
    with daemon(WHERRY_STOP_GRACE_S="1") as made:
        yield made


def _enabled(own: Daemon, contexts: Contexts) -> int:
    """Enable a plugin and return its process."""
    own.create("p", contexts.tar())
    return int(own.enable("p")["pid"])


def test_g05_sigint_stops_plugins_and_the_next_start_runs_them(
    own: Daemon, contexts: Contexts
) -> None:
    """Started as moby's tests start dockerd, it ends with 0, leaves nothing, and begins again."""
    own.begin(*_MOBY)
    assert own.pid_file.read_text().isdigit()
    for ignored in ("containerd-namespace", "userland-proxy", "storage-driver", "iptables"):
        assert own.log.count(f"warning: {ignored} means nothing") == 1
    pid = _enabled(own, contexts)

    assert own.end(signal.SIGINT) == 0

    assert not is_running(pid)
    assert not own.leftovers()
    assert not own.pid_file.exists()
    own.begin()
    eventually(lambda: own.status("p")["state"] == "running", "it runs again")
    assert own.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == "p:latest true"


def test_g04_with_live_restore_plugins_go_on(own: Daemon, contexts: Contexts) -> None:
    """SIGINT ends the daemon and no plugin; the next start takes it up."""
    own.begin("--live-restore")
    pid = _enabled(own, contexts)

    assert own.end(signal.SIGINT) == 0

    assert is_running(pid)
    own.begin("--live-restore")
    assert own.status("p")["pid"] == pid
    assert own.docker("info", "--format", "{{.LiveRestoreEnabled}}") == "true"


@pytest.mark.parametrize("flags", [(), ("--live-restore",)], ids=["plain", "live-restore"])
def test_a03_a04_a_plugin_that_runs_already_is_taken_up(
    own: Daemon, contexts: Contexts, flags: tuple[str, ...]
) -> None:
    """A daemon that was killed left it running; the next one has it enabled, and it answers."""
    own.begin(*flags)
    pid = _enabled(own, contexts)
    assert own.end(signal.SIGKILL) == -signal.SIGKILL
    assert is_running(pid)

    own.begin(*flags)

    assert own.get("/plugins")[0]["Enabled"]
    status = own.status("p")
    assert (status["state"], status["pid"]) == ("running", pid)


def test_sighup_takes_up_the_file(own: Daemon, contexts: Contexts) -> None:
    """What changed counts, a broken file changes nothing, and plugins notice neither."""
    own.begin(file={"labels": ["a=1"]})
    pid = _enabled(own, contexts)
    config = own.folder / "daemon.json"

    config.write_text('{"labels": ["b=2"], "live-restore": true}')
    own.tell(signal.SIGHUP)

    eventually(lambda: "Reloaded configuration" in own.log, "it has reloaded")
    shown = own.docker("info", "--format", "{{.Labels}} {{.LiveRestoreEnabled}}")
    assert shown == "[b=2] true"
    config.write_text('{"label": []}')
    own.tell(signal.SIGHUP)
    eventually(lambda: "Error reloading configuration" in own.log, "it says what is wrong")
    assert own.status("p")["pid"] == pid
    assert own.end() == 0
    assert is_running(pid)


def test_systemd_is_told_when_it_is_ready(tmp_path: Path) -> None:
    """A unit of Type=notify waits for that, and for nothing longer."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        daemon(NOTIFY_SOCKET=str(tmp_path / "n")) as own,
    ):
        systemd.bind(str(tmp_path / "n"))
        systemd.settimeout(10)
        own.begin()
        assert systemd.recv(64) == b"READY=1"
        assert own.end() == 0
        assert systemd.recv(64) == b"STOPPING=1"


def test_a_second_daemon_does_not_start(own: Daemon) -> None:
    """One pid file, one daemon: the second says so in dockerd's words, and the first goes on."""
    own.begin()
    first = own.pid_file.read_text()
    argv = ["dockerd", "--pidfile", str(own.pid_file), "-H", f"unix://{own.folder}/other.sock"]

    with pytest.raises(AssertionError, match=f"process with PID {first} is still running"):
        own.wherry(*argv)

    assert own.docker("plugin", "ls", "--quiet") == ""


@pytest.mark.parametrize("args", [[], ["--debug"]], ids=["without args", "with args"])
def test_c17_c18_plugins_run_in_the_default_runtime(
    own: Daemon, contexts: Contexts, args: list[str]
) -> None:
    """A runtime of daemon.json is called as runc is, with its arguments, and `info` shows it."""
    said = own.folder / "said"
    runtime = own.folder / "myrt"
    runtime.write_text(f'#!/bin/sh\necho "$@" >>{said}\nexec runc "$@"\n')
    runtime.chmod(0o755)
    named = {"path": str(runtime), "runtimeArgs": args} if args else {"path": str(runtime)}
    own.begin("--default-runtime", "myrt", file={"runtimes": {"myrt": named}})

    _enabled(own, contexts)

    (created,) = [line for line in said.read_text().splitlines() if " create " in line]
    assert all(arg in created.split() for arg in args)
    assert own.docker("info", "--format", "{{.DefaultRuntime}}") == "myrt"
    assert "myrt" in own.docker("info", "--format", "{{json .Runtimes}}")
    own.disable("p")


@pytest.fixture
def legacy() -> Iterator[Path]:
    """Give a folder for sockets of legacy plugins."""
    with tempfile.TemporaryDirectory(prefix="wl-", dir="/tmp") as folder:
        yield Path(folder)


def _docker(address: str, *flags: str) -> subprocess.CompletedProcess[str]:
    argv = ["docker", "-H", address, *flags, "plugin", "ls", "--quiet"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def _flags(authority: Pair, pair: Pair) -> tuple[str, ...]:
    return (
        *("--tlsverify", "--tlscacert", str(authority.certificate)),
        *("--tlscert", str(pair.certificate), "--tlskey", str(pair.key)),
    )


def test_e02_a_client_is_known_by_its_certificate(legacy: Path, tmp_path: Path) -> None:
    """Over TLS, authorization plugins see the common name; without a certificate nobody gets in."""
    authority = make_authority(tmp_path)
    server, robin = issue(tmp_path, authority, "server"), issue(tmp_path, authority, "robin")
    stranger = make_authority(tmp_path / "elsewhere", "stranger")
    address = f"tcp://127.0.0.1:{free_port()}"
    plugin = AuthzPlugin()
    settings = {"WHERRY_V1_PLUGIN_SOCKETS": str(legacy), "WHERRY_V1_PLUGIN_SPECS": "/nowhere"}
    with plugin.served(legacy / "guard.sock"), daemon(**settings) as own:
        own.begin("--host", address, "--authorization-plugin=guard", *_flags(authority, server))
        plugin.reset()

        done = _docker(address, *_flags(authority, robin))

        assert done.returncode == 0, done.stderr
        asked = [one.args for one in plugin.asked if one.uri.endswith("/plugins")]
        assert {(one["User"], one["UserAuthNMethod"]) for one in asked} == {("robin", "TLS")}
        assert [one.hook for one in plugin.asked if one.uri.endswith("/plugins")].count(BEFORE) == 1
        assert _docker(address, *_flags(authority, stranger)).returncode == 1
        assert _docker(address).returncode == 1


def test_e17_e18_wrong_authorization_plugins_keep_it_from_starting(
    own: Daemon, contexts: Contexts
) -> None:
    """One that is no authz plugin, or is not there, ends the daemon; without the flag it starts."""
    own.begin("--live-restore")
    _enabled(own, contexts)
    assert own.end() == 0
    for name, why in (("p", 'does not provide "authz"'), ("absent", '"absent" not found')):
        own.start("--live-restore", "--authorization-plugin", name)
        assert own.status_at_end() == 1
        assert "failed to start daemon" in own.log
        assert why in own.log

    own.begin("--live-restore")

    assert own.status("p")["state"] == "running"
