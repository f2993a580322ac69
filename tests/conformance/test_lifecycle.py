"""Enable, disable and remove: what they say, what they leave, and what is refused."""

from __future__ import annotations

import socket
from pathlib import Path

import docker
import httpx
import pytest

from tests.support.node import Node, eventually, is_running
from tests.support.plugin_context import ANSWERS, Contexts


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def test_f01_the_cli_takes_a_plugin_through_its_life(
    node: Node, contexts: Contexts, tmp_path: Path
) -> None:
    """A plugin that is enabled is shown so and is not removed; disabled, it goes."""
    node.docker("plugin", "create", "p", str(contexts.write(tmp_path)))

    assert node.docker("plugin", "enable", "p") == "p"
    assert node.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == "p:latest true"
    assert node.docker_fails("plugin", "rm", "p") == (
        "Error response from daemon: plugin p:latest is enabled"
    )
    plugin_id = node.get("/plugins/p/json")["Id"]
    assert node.docker("plugin", "disable", "p") == "p"
    assert node.docker("plugin", "ls", "--format", "{{.Enabled}}") == "false"
    assert node.docker("plugin", "rm", "p") == "p"

    assert not (node.root / "plugins" / plugin_id).exists()
    assert node.docker("plugin", "ls", "--quiet") == ""


def test_docker_py_takes_a_plugin_through_its_life(
    node: Node, docker_py: docker.DockerClient, contexts: Contexts
) -> None:
    """docker-py enables, reloads, disables and removes."""
    node.create("p", contexts.tar())
    plugin = docker_py.plugins.get("p")

    plugin.enable(timeout=10)
    assert plugin.enabled
    plugin.disable()
    assert not plugin.enabled
    plugin.remove()

    assert docker_py.plugins.list() == []


def test_an_enabled_plugin_runs_and_answers(node: Node, contexts: Contexts) -> None:
    """When enable returns, the process is there and its socket takes connections."""
    node.create("p", contexts.tar())

    status = node.enable("p")

    assert status["state"] == "running"
    assert is_running(status["pid"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{status['socket_dir']}/p.sock")


def test_a_disabled_plugin_leaves_nothing_running(node: Node, contexts: Contexts) -> None:
    """When disable returns, process, container and socket are gone, and the files are not."""
    node.create("p", contexts.tar())
    status = node.enable("p")

    node.disable("p")

    assert not is_running(status["pid"])
    assert node.containers() == []
    assert not Path(status["socket_dir"]).exists()
    assert node.status("p")["state"] == "stopped"
    assert node.enable("p")["state"] == "running"


def test_a_plugin_that_ignores_sigterm_is_killed(contexts: Contexts, node: Node) -> None:
    """A program that does not end when told is ended."""
    # As pid 1 of its namespace it never hears a SIGTERM it has no handler for.
    node.create("deaf", contexts.tar(ANSWERS[1]))
    pid = node.enable("deaf")["pid"]

    node.remove("deaf", force=True)

    assert not is_running(pid)


@pytest.mark.parametrize("force", ["1", "true", "yes", "anything"])
def test_f02_force_removes_an_enabled_plugin(node: Node, contexts: Contexts, force: str) -> None:
    """Remove with force stops it first; whatever is not false is true."""
    node.create("p", contexts.tar())
    pid = node.enable("p")["pid"]

    assert node.http.delete("/plugins/p", params={"force": force}).status_code == 200

    assert not is_running(pid)
    assert node.get("/plugins") == []


@pytest.mark.parametrize("force", ["", "0", "no", "False", " none "])
def test_what_is_false_is_no_force(node: Node, contexts: Contexts, force: str) -> None:
    """A few words mean no force, in any case and with spaces around them."""
    node.create("p", contexts.tar())
    node.enable("p")

    refused = node.http.delete("/plugins/p", params={"force": force})

    assert _refusal(refused) == (409, "plugin p:latest is enabled")


def test_f10_enabling_twice_is_refused(node: Node, contexts: Contexts) -> None:
    """The second enable says that it is enabled, and the plugin runs on."""
    node.create("p", contexts.tar())
    pid = node.enable("p")["pid"]

    refused = node.http.post("/plugins/p/enable?timeout=1")

    assert _refusal(refused) == (409, "plugin already enabled: plugin p:latest is enabled")
    assert node.status("p")["pid"] == pid
    assert "already enabled" in node.docker_fails("plugin", "enable", "p")


def test_f10_disabling_twice_is_refused(node: Node, contexts: Contexts) -> None:
    """The second disable says that it is disabled."""
    node.create("p", contexts.tar())
    node.enable("p")
    node.disable("p")

    refused = node.http.post("/plugins/p/disable")

    assert _refusal(refused) == (
        409,
        "plugin is already disabled: plugin p:latest found but disabled",
    )
    assert "already disabled" in node.docker_fails("plugin", "disable", "p")


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 500, 'strconv.Atoi: parsing "": invalid syntax'),
        ("?timeout=", 500, 'strconv.Atoi: parsing "": invalid syntax'),
        ("?timeout=soon", 500, 'strconv.Atoi: parsing "soon": invalid syntax'),
        ("?timeout=1.5", 500, 'strconv.Atoi: parsing "1.5": invalid syntax'),
        (f"?timeout={2**63}", 500, f'strconv.Atoi: parsing "{2**63}": value out of range'),
    ],
)
def test_enable_wants_a_timeout(
    node: Node, contexts: Contexts, query: str, status: int, message: str
) -> None:
    """The timeout is mandatory and a whole number, told in Go's words."""
    node.create("p", contexts.tar())

    assert _refusal(node.http.post(f"/plugins/p/enable{query}")) == (status, message)


def test_a_timeout_of_zero_is_the_nodes_own(node: Node, contexts: Contexts) -> None:
    """`docker plugin install` sends 0, which must not mean at once."""
    node.create("slow", contexts.tar("term=0", "delay=300", ANSWERS[1]))

    assert node.http.post("/plugins/slow/enable?timeout=0").status_code == 200


def test_a_socket_that_never_answers_fails_in_time(node: Node, contexts: Contexts) -> None:
    """Enable gives up after its timeout, in dockerd's words, and nothing is left."""
    node.create("silent", contexts.tar("term=0"))

    answer = node.http.post("/plugins/silent/enable?timeout=1", timeout=20)

    plugin_id = node.get("/plugins/silent/json")["Id"]
    socket_path = f"{node.exec_root}/c/{plugin_id[:12]}-1/s/p.sock"
    assert answer.status_code == 500
    assert answer.json()["message"].startswith(
        f"dial unix {socket_path}: connect: no such file or directory"
    )
    assert node.containers() == []
    assert not node.get("/plugins/silent/json")["Enabled"]


def test_a_socket_that_refuses_fails_in_time(node: Node, contexts: Contexts) -> None:
    """A socket that is bound and not listened on is told apart from none."""
    node.create("bound", contexts.tar("term=0", "bind=/run/docker/plugins/p.sock"))

    answer = node.http.post("/plugins/bound/enable?timeout=1", timeout=20)

    assert answer.status_code == 500
    assert "/s/p.sock: connect: connection refused" in answer.json()["message"]


def test_a_missing_entrypoint_is_told(node: Node, contexts: Contexts) -> None:
    """A program that is not there is named."""
    node.create("missing", contexts.tar(entrypoint=["/bin/missing"]))

    status, message = _refusal(node.http.post("/plugins/missing/enable?timeout=5"))

    assert status == 500
    assert "/bin/missing" in message
    assert "no such file or directory" in message
    assert node.containers() == []


def test_a_plugin_that_exits_at_once_tells_how(node: Node, contexts: Contexts) -> None:
    """Enable tells the exit code and the last lines, long before its timeout."""
    node.create("short", contexts.tar("print=2", "stderr=no volume there", "exit=7"))

    status, message = _refusal(node.http.post("/plugins/short/enable?timeout=30", timeout=20))

    assert status == 500
    assert "exited with code 7" in message
    assert "line 1\nline 2" in message
    assert "no volume there" in message
    assert node.status("short")["state"] == "stopped"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"mounts": [{"name": "m", "destination": "/mnt", "type": "none"}]},
            "mount source is not specified",
        ),
        (
            {"linux": {"devices": [{"name": "d"}]}},
            "error gathering device information while adding custom device",
        ),
        (
            {"linux": {"devices": [{"name": "d", "path": "/dev/not-there"}]}},
            'error gathering device information while adding custom device "/dev/not-there"',
        ),
    ],
    ids=["mount without source", "device without path", "device that is not there"],
)
def test_a_config_that_can_not_run_is_told(
    node: Node, contexts: Contexts, config: dict[str, object], message: str
) -> None:
    """What lacks a source or a path answers 500 in dockerd's words, and can be removed."""
    node.create("lacking", contexts.tar(**config))

    status, told = _refusal(node.http.post("/plugins/lacking/enable?timeout=5"))

    assert status == 500
    assert told.startswith(message)
    assert not node.get("/plugins/lacking/json")["Enabled"]


def test_a02_a_failed_enable_can_be_repeated_and_removed(node: Node, contexts: Contexts) -> None:
    """After an enable that fails, a forced remove works."""
    node.create("bad", contexts.tar(entrypoint=["/bin/missing"]))
    for _ in range(2):
        assert node.http.post("/plugins/bad/enable?timeout=5").status_code == 500

    node.remove("bad", force=True)

    assert node.get("/plugins") == []


def test_d01_mounts_over_dev_do_not_take_the_devices_away(
    node: Node, contexts: Contexts, tmp_path: Path
) -> None:
    """Binds of / and /dev, a folder over /etc/foo, host network and ipc work together."""
    mounts = [
        {"source": source, "destination": to, "type": "bind", "options": ["rbind"]}
        for source, to in (("/", "/host"), ("/dev", "/dev"), (str(tmp_path), "/etc/foo"))
    ]
    host = {"network": {"type": "host"}, "ipchost": True, "propagatedmount": "/data"}
    node.create("d01", contexts.tar(mounts=mounts, **host))

    assert node.http.post("/plugins/d01/enable?timeout=30").status_code == 200


def test_answers_come_before_the_client_waits_long(node: Node, contexts: Contexts) -> None:
    """Enable returns when the socket answers, not by a fixed pause."""
    node.create("quick", contexts.tar())
    answer = node.http.post("/plugins/quick/enable?timeout=30")

    assert answer.elapsed.total_seconds() < 5


def test_bodies_of_verbs_are_empty(node: Node, contexts: Contexts) -> None:
    """Enable, disable and remove answer 200 with length 0, create and set 204 without one."""
    answers = [
        node.http.post("/plugins/create?name=p", content=contexts.tar()),
        node.http.post("/plugins/p/set", json=[]),
        node.http.post("/plugins/p/enable?timeout=5"),
        node.http.post("/plugins/p/disable"),
        node.http.delete("/plugins/p"),
    ]

    assert [answer.status_code for answer in answers] == [204, 204, 200, 200, 200]
    assert [answer.headers.get("content-length") for answer in answers] == [
        None,
        None,
        "0",
        "0",
        "0",
    ]
    eventually(lambda: not node.containers(), "no container is left")
