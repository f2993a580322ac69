"""dockerd's flags and daemon.json, as variables of a node."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.domain import daemon_config
from shared import errdefs


def test_flags_and_file_add_up() -> None:
    """What is said in one place only is set, whichever that is."""
    settings = daemon_config.merged({"data-root": "/d"}, {"debug": True, "dns": ["1.1.1.1"]})

    assert settings == {"data-root": "/d", "debug": True, "dns": ["1.1.1.1"]}
    assert daemon_config.ignored(settings) == ["dns"]


def test_said_twice() -> None:
    """Dockerd's words tell both values, in Go's spelling."""
    flags: dict[str, Any] = {"labels": ["a=1"], "debug": True}
    file: dict[str, Any] = {"labels": ["b=2", "c=3"], "debug": False}

    with pytest.raises(errdefs.InvalidArgument) as raised:
        daemon_config.merged(flags, file)

    assert raised.value.message == (
        "the following directives are specified both as a flag and in the configuration file: "
        "debug: (from flag: true, from file: false), "
        "labels: (from flag: [a=1], from file: [b=2 c=3])"
    )


def test_runtimes_of_both_are_known() -> None:
    """Runtimes are the one thing that flags and file may both name."""
    flag, file = {"a": {"path": "/a"}}, {"b": {"path": "/b", "runtimeArgs": ["-x"]}}

    settings = daemon_config.merged({"runtimes": flag}, {"runtimes": file})

    assert settings["runtimes"] == {**flag, **file}


def test_unknown_keys() -> None:
    """A key that dockerd does not know is refused, all of them at once."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        daemon_config.merged({}, {"z": 1, "graph": "/x", "builder": {"gc": {}}})

    assert raised.value.message == (
        "the following directives don't match any configuration option: graph, z"
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"debug": "yes"}, 'debug: must be true or false, and is "yes"'),
        ({"hosts": "unix://"}, 'hosts: must be a list of strings, and is "unix://"'),
        ({"shutdown-timeout": True}, "shutdown-timeout: must be a number, and is true"),
    ],
)
def test_wrong_types(file: dict[str, Any], message: str) -> None:
    """A value of another type is named with what it must be."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        daemon_config.merged({}, file)
    assert raised.value.message == message


def test_proxies_are_a_group() -> None:
    """The file holds proxies together; they are settings like others."""
    settings = daemon_config.merged({}, {"proxies": {"https-proxy": "http://p:1"}})
    assert daemon_config.environment(settings)["HTTPS_PROXY"] == "http://p:1"


def test_variables() -> None:
    """Each setting that means something becomes the variable that the services read."""
    variables = daemon_config.environment(
        {
            "data-root": "/d",
            "exec-root": "/e",
            "hosts": ["unix:///s", "tcp://:1"],
            "group": "0",
            "live-restore": True,
            "authorization-plugins": ["a", "b"],
            "registry-mirrors": ["https://m/", "https://n"],
            "runtimes": {"r": {"path": "/r"}},
            "default-runtime": "r",
            "shutdown-timeout": 7,
            "debug": True,
        }
    )

    assert variables == {
        "WHERRY_ROOT": "/d",
        "WHERRY_EXEC_ROOT": "/e",
        "WHERRY_SOCKET": "/s",
        "WHERRY_HOST": "tcp://127.0.0.1:1",
        "WHERRY_SOCKET_GROUP": "0",
        "WHERRY_LIVE_RESTORE": "true",
        "WHERRY_AUTHORIZATION_PLUGINS": "a,b",
        "WHERRY_REGISTRY_MIRRORS": "https://m,https://n",
        "WHERRY_RUNTIMES": '{"r": {"path": "/r"}}',
        "WHERRY_DEFAULT_RUNTIME": "r",
        "WHERRY_SHUTDOWN_TIMEOUT_S": "7",
        "WHERRY_LOG_LEVEL": "debug",
    }


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], {"WHERRY_SOCKET": "/var/run/docker.sock"}),
        (["unix://"], {"WHERRY_SOCKET": "/var/run/docker.sock"}),
        (["unix:///a", "unix:///b"], {"WHERRY_SOCKET": "/a", "WHERRY_HOST": "unix:///b"}),
        (["tcp://"], {"WHERRY_HOST": "tcp://127.0.0.1:2375"}),
        (["127.0.0.1:99"], {"WHERRY_HOST": "tcp://127.0.0.1:99"}),
        (["tcp://[::1]:5"], {"WHERRY_HOST": "tcp://[::1]:5"}),
        (["fd://"], {"WHERRY_HOST": "fd://", "WHERRY_LISTEN_FDS": "2"}),
    ],
)
def test_hosts(hosts: list[str], expected: dict[str, str]) -> None:
    """The first socket is the node's own, the rest is listened on besides."""
    inherited = 2 if "fd://" in hosts else 0
    variables = daemon_config.environment({"hosts": hosts}, inherited=inherited)
    assert variables == {"WHERRY_LIVE_RESTORE": "false", **expected}


@pytest.mark.parametrize("host", ["npipe:////./pipe", "foo://bar", "tcp://a:b"])
def test_hosts_that_are_none(host: str) -> None:
    """Another form is refused with what may be said."""
    with pytest.raises(errdefs.InvalidArgument, match="invalid bind address format"):
        daemon_config.environment({"hosts": [host]})


def test_tls() -> None:
    """Clients are verified unless that is switched off; the default port is another one."""
    files = {"tlscacert": "ca", "tlscert": "c", "tlskey": "k", "hosts": ["tcp://"]}

    verified = daemon_config.environment({**files, "tlsverify": True})
    unverified = daemon_config.environment({**files, "tls": True, "tlsverify": False})

    assert verified["WHERRY_HOST"] == "tcp://127.0.0.1:2376"
    assert (verified["WHERRY_TLS_CERT"], verified["WHERRY_TLS_CA"]) == ("c", "ca")
    assert "WHERRY_TLS_CA" not in unverified
    assert unverified["WHERRY_TLS_KEY"] == "k"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"log-level": "loud"}, "invalid logging level: loud"),
        ({"tlsverify": True, "tlscert": "c"}, "not given: tls_key, tls_ca"),
    ],
)
def test_what_can_not_be_meant(settings: dict[str, Any], message: str) -> None:
    """A setting that contradicts itself keeps the daemon from starting."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        daemon_config.environment(settings)


def test_some_settings_change_while_a_daemon_runs() -> None:
    """The rest stays as it was, and so does what the file no longer names."""
    flags = {"debug": True}
    before = daemon_config.merged(
        flags, {"labels": ["a=1"], "data-root": "/d", "live-restore": True}
    )

    after = daemon_config.reloaded(before, flags, {"labels": ["b=2"], "data-root": "/other"})

    assert after == {**before, "labels": ["b=2"]}


def test_an_authorization_plugin_that_the_file_drops_is_asked_no_more() -> None:
    """But one that a flag named stays: a reload must not open the door."""
    named: dict[str, Any] = {"authorization-plugins": ["guard"]}

    assert daemon_config.reloaded(daemon_config.merged({}, named), {}, {}) == {}
    assert daemon_config.reloaded(daemon_config.merged(named, {}), named, {}) == named
