"""Services killed in the middle of a pull: the job ends once, and so does the client's stream."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.node import PROCESSES, Node, eventually
from tests.support.plugin_image import image
from tests.support.slow_registry import SlowRegistry, slow_registry

_FILES = {"bin/p": random.Random(1).randbytes(600_000), "etc/p": b"one"}
_IMAGE = image(_FILES)
_LIMIT_S = 40.0
#: Longer than an install takes when nobody is killed.
_LATEST_KILL_S = 0.35


@pytest.fixture
def registry() -> Iterator[SlowRegistry]:
    with slow_registry(_IMAGE) as made:
        yield made


class Installing:
    """A docker CLI at work."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def succeeds(self) -> str:
        """Wait for its end, which must be a good one, and return what it printed."""
        output, _ = self._process.communicate(timeout=_LIMIT_S)
        assert self._process.returncode == 0, output
        return output

    def fails(self) -> str:
        """Wait for its end, which must be a bad one, and return what it printed."""
        output, _ = self._process.communicate(timeout=_LIMIT_S)
        assert self._process.returncode == 1, output
        return output

    def ends(self) -> bool:
        """Wait for its end and say whether it was a good one."""
        self._process.communicate(timeout=_LIMIT_S)
        return self._process.returncode == 0


@contextmanager
def _installing(node: Node, registry: SlowRegistry) -> Iterator[Installing]:
    argv = ["docker", "plugin", "install", "--disable", "--grant-all-permissions"]
    with subprocess.Popen(
        [*argv, "--alias", "p", registry.remote],
        env=node.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Installing(process)
        finally:
            process.kill()


def _check_installed(node: Node) -> None:
    """Check that the plugin is there whole, that nothing else is, and remove it."""
    (plugin,) = node.get("/wherry/v1/plugins")["plugins"]
    home = f"plugins/{plugin['plugin_id']}"
    rootfs = {f"{home}/rootfs/{name}" for name in ("bin", "etc", *_FILES)}
    blobs = {f"content/blobs/sha256/{digest.partition(':')[2]}" for digest in _IMAGE.blobs}
    node.wait_for_files({home, f"{home}/propagated-mount", f"{home}/rootfs", *rootfs, *blobs})
    for name, content in _FILES.items():
        assert (node.root / home / "rootfs" / name).read_bytes() == content
    node.remove("p")
    node.wait_for_files(set())


def _job(node: Node) -> tuple[str, int]:
    (job,) = node.get("/wherry/v1/jobs")["jobs"]
    return job["state"], job["attempt"]


def _check_trace(node: Node, attempts: int) -> None:
    """Check that the attempt that succeeded lies in the trace in which the job began."""
    (job,) = node.get("/wherry/v1/jobs")["jobs"]
    trace_id = job["traceparent"].split("-")[1]

    def told() -> list[int]:
        spans = node.get(f"/wherry/v1/traces/{trace_id}")["spans"]
        # A message that came a second time, and found the job taken, has none.
        attempts = (one["attributes"].get("wherry.job.attempt") for one in spans)
        return [attempt for attempt in attempts if attempt is not None]

    eventually(lambda: attempts in told(), "the attempt lies in the trace of its request")


@pytest.mark.parametrize(
    ("killed", "attempts"),
    [(("pull",), 2), (("store",), 1), (("redis",), 1), (("redis", "store", "pull"), 2)],
    ids=["pull", "store", "redis", "all three"],
)
def test_an_install_outlives_what_carries_it(
    node: Node, registry: SlowRegistry, killed: tuple[str, ...], attempts: int
) -> None:
    """Killed in the middle of a layer: the client waits a little longer, and has its plugin."""
    with _installing(node, registry) as installing:
        registry.wait_asked()
        node.kill(*killed)
        node.wait_healthy()
        registry.hurry()
        assert f"Installed plugin {registry.remote}" in installing.succeeds()

    assert _job(node) == ("done", attempts)
    _check_trace(node, attempts)
    _check_installed(node)


def test_an_install_whose_worker_died_may_still_fail(node: Node, registry: SlowRegistry) -> None:
    """The next attempt meets a registry that lost the layer: words, no trace, and a free name."""
    with _installing(node, registry) as installing:
        registry.wait_asked()
        registry.lose()
        node.kill("pull")
        assert "404 Not Found" in installing.fails()

    assert _job(node) == ("failed", 2)
    node.wait_for_files(set())
    registry.find_again()
    with _installing(node, registry) as installing:
        installing.succeeds()
    _check_installed(node)


def test_an_install_killed_at_any_moment_is_whole_or_nothing(
    node: Node, registry: SlowRegistry
) -> None:
    """Whatever the client is told, the plugin is there, or can be installed at once."""
    luck = random.Random(1)
    registry.find_again()
    for killed in ("pull", "store", "redis") * 2:
        with _installing(node, registry) as installing:
            time.sleep(luck.uniform(0, _LATEST_KILL_S))  # the moment is what is varied
            node.kill(killed)
            node.wait_healthy()
            is_done = installing.ends()
        plugins = node.get("/plugins")
        assert len(plugins) >= is_done
        if not plugins:
            eventually(lambda: not node.files(), "nothing is left of it")
            with _installing(node, registry) as installing:
                installing.succeeds()
        _check_installed(node)


def test_a_loss_of_power_takes_nothing_of_a_pull(node: Node, registry: SlowRegistry) -> None:
    """What was answered for and not yet synced is made anew from its blobs, without a registry."""
    with _installing(node, registry) as installing:
        registry.hurry()
        installing.succeeds()
    node.kill(*PROCESSES)
    _lose_power(node)

    node.up()

    plugin_id = node.plugin("p")["plugin_id"]
    report = node.get("/wherry/v1/node/recovery")
    assert report["rebuilt_root_file_systems"] == [f"{plugin_id}/rootfs"]
    _check_installed(node)


def _lose_power(node: Node) -> None:
    """Leave the data root as a loss of power may, right after the plugin was committed."""
    (home,) = (node.root / "plugins").iterdir()
    for path in (home / "rootfs").rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    (home / "rootfs" / "etc" / "p").unlink()
    with closing(sqlite3.connect(node.root / "store" / "store.db")) as database, database:
        row = (home.name, "rootfs")
        database.execute("INSERT OR REPLACE INTO unsynced (plugin_id, rootfs) VALUES (?, ?)", row)
    (node.root / "store" / "boot").write_text("another start of the host\n")
