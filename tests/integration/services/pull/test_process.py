"""The pull service as a process, beside a real store, Redis and registry."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from shared import errdefs
from shared.contracts.job import CancelJob, GetJob, JobEnded, JobKind, JobState
from shared.contracts.pull import GetPrivileges, LogIn
from shared.oci.digest import digest_of
from shared.oci.reference import parse
from shared.sealing import new_key, public_bytes, read_public_key, seal
from tests.support.faulty_registry import Behaviour, FaultyRegistry, blob, head_of, raw
from tests.support.plugin_image import GRANT, FakeImage, image
from tests.support.pulling_node import PullingNode, client, publish, serve
from tests.support.redis import RedisServer
from tests.support.registry import PASSWORD, USER, RegistryServer
from tests.support.wait import eventually

ONE = image({"bin/p": b"one"}, {"etc/conf": b"1" * 3000})
TWO = image({"bin/p": b"two"})


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[PullingNode]:
    async with PullingNode(redis_server) as made:
        yield made


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as server:
        yield server


def _stalls(layer: bytes) -> list[Behaviour]:
    """Send half of a layer and hold the connection; the next time all of it."""
    head = head_of(200, {"Content-Length": str(len(layer))})
    return [raw(head + layer[: len(layer) // 2], then_stall=True), blob(layer)]


async def _until_asked_for(registry: FaultyRegistry, layer: bytes) -> None:
    asked = f"/blobs/{digest_of(layer)}"
    await eventually(lambda: any(one.path.endswith(asked) for one in registry.asked), limit_s=20)


def _serve_stalling(registry: FaultyRegistry, found: FakeImage) -> str:
    remote = serve(registry, "a/p", "1", found)
    layer = found.layers[0]
    registry.on("GET", f"/v2/a/p/blobs/{digest_of(layer)}", *_stalls(layer))
    return remote


async def test_a_plugin_is_pulled_pushed_and_upgraded(
    node: PullingNode, registry: RegistryServer
) -> None:
    """From a real registry into the store, byte for byte to another repository, and anew."""
    remote = f"{registry.authority}/a/p:1"
    await publish(remote, ONE)

    asked = await node.bus.send(GetPrivileges(remote=remote), timeout_s=10)
    assert [each["Name"] for each in asked.privileges] == ["network"]
    _, pulled = await node.run(
        "j1", kind=JobKind.PULL, name="p:1", remote=remote, privileges=asked.privileges
    )
    assert pulled.error is None
    assert pulled.changed is not None
    plugin = pulled.changed.changes[-1].plugin
    assert plugin is not None
    rootfs = node.root / "plugins" / plugin.plugin_id / "rootfs"
    assert (rootfs / "bin/p").read_bytes() == b"one"

    target = f"{registry.authority}/b/copy:2"
    said, pushed = await node.run("j2", kind=JobKind.PUSH, name="p:1", remote=target)
    assert pushed.error is None
    assert any(line.startswith("Mounted from") for line in said)
    async with client() as checker:
        stored = await checker.repository(parse(target)).manifest()
    assert stored.body == ONE.manifest

    await publish(remote, TWO)
    _, upgraded = await node.run(
        "j3", kind=JobKind.UPGRADE, name="p:1", remote=remote, privileges=GRANT
    )
    assert upgraded.error is None
    await eventually(lambda: not rootfs.exists())
    assert (rootfs.parent / "rootfs-j3/bin/p").read_bytes() == b"two"
    assert not (rootfs.parent / "rootfs-j3/etc").exists()
    assert node.leftovers() == []


async def test_a_failed_pull_leaves_nothing_and_the_next_succeeds(
    node: PullingNode, faulty: FaultyRegistry
) -> None:
    """A spoiled blob is refused; the same digest from a registry that is sound is taken."""
    remote = serve(faulty, "a/p", "1", ONE)
    layer = ONE.layers[1]
    path = f"/v2/a/p/blobs/{digest_of(layer)}"
    faulty.on("GET", path, blob(bytes(len(layer))), blob(layer))

    _, failed = await node.run("j1", kind=JobKind.PULL, name="p:1", remote=remote)
    assert failed.error is not None
    assert "unexpected commit digest" in failed.error["message"]
    assert node.leftovers() == []
    assert not list((node.root / "plugins").iterdir())

    _, pulled = await node.run("j2", kind=JobKind.PULL, name="p:1", remote=remote)
    assert pulled.error is None


async def test_a_killed_worker_costs_a_second_attempt(
    node: PullingNode, faulty: FaultyRegistry
) -> None:
    """Kill -9 in the middle of a layer: the job is done once, by the next process."""
    remote = _serve_stalling(faulty, ONE)
    await node.begin("j1", kind=JobKind.PULL, name="p:1", remote=remote)
    await _until_asked_for(faulty, ONE.layers[0])
    node.pull.kill()
    node.pull.wait()
    await node.start_pull()

    messages = [message async for message in node.follow("j1")]
    ended = messages[-1]
    assert isinstance(ended, JobEnded)
    assert ended.error is None
    job = (await node.bus.send(GetJob(job_id="j1"), timeout_s=5)).job
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    assert node.leftovers() == []


async def test_a_stopped_worker_ends_soon_and_leaves_its_job(
    node: PullingNode, faulty: FaultyRegistry
) -> None:
    """SIGTERM in the middle of a layer: status 0 at once, and the next process does the job."""
    remote = _serve_stalling(faulty, ONE)
    await node.begin("j1", kind=JobKind.PULL, name="p:1", remote=remote)
    await _until_asked_for(faulty, ONE.layers[0])
    node.pull.send_signal(signal.SIGTERM)
    async with asyncio.timeout(12):
        assert await asyncio.to_thread(node.pull.wait) == 0
    await node.start_pull()

    messages = [message async for message in node.follow("j1")]
    assert isinstance(messages[-1], JobEnded)
    assert messages[-1].error is None


async def test_a_cancelled_job_ends_as_cancelled(node: PullingNode, faulty: FaultyRegistry) -> None:
    """A person's wish reaches a download that hangs, and its name is free again."""
    remote = _serve_stalling(faulty, ONE)
    await node.begin("j1", kind=JobKind.PULL, name="p:1", remote=remote)
    await _until_asked_for(faulty, ONE.layers[0])
    await node.bus.send(CancelJob(job_id="j1"), timeout_s=5)

    messages = [message async for message in node.follow("j1")]
    ended = messages[-1]
    assert isinstance(ended, JobEnded)
    assert ended.error is not None
    assert ended.error["message"] == "the job was cancelled"
    assert node.leftovers() == []
    _, again = await node.run("j2", kind=JobKind.PULL, name="p:1", remote=remote)
    assert again.error is None


async def test_an_emptied_redis_does_not_lose_a_job(
    node: PullingNode, faulty: FaultyRegistry, redis_server: RedisServer
) -> None:
    """FLUSHALL in the middle: the store knows how the job ended."""
    remote = _serve_stalling(faulty, ONE)
    await node.begin("j1", kind=JobKind.PULL, name="p:1", remote=remote)
    await _until_asked_for(faulty, ONE.layers[0])
    redis_server.flushall()
    node.pull.kill()
    node.pull.wait()
    await node.start_pull()

    state = JobState.RUNNING
    async with asyncio.timeout(40):
        while state not in (JobState.DONE, JobState.FAILED):
            await asyncio.sleep(0.2)
            state = (await node.bus.send(GetJob(job_id="j1"), timeout_s=10)).job.state
    assert state is JobState.DONE


async def test_a_login_crosses_the_bus_sealed(node: PullingNode) -> None:
    """Right credentials are taken, wrong ones refused in the registry's words."""
    with RegistryServer(has_login=True) as server:
        key = read_public_key(node.root)

        def command(password: str) -> LogIn:
            auth = json.dumps({"username": USER, "password": password}).encode()
            return LogIn(
                server_address=server.authority,
                credentials=seal(key, auth, "login-1"),
                subject="login-1",
                answer_key=base64.b64encode(public_bytes(new_key())).decode(),
            )

        reply = await node.bus.send(command(PASSWORD), timeout_s=10)
        assert reply.status == "Login Succeeded"
        with pytest.raises(errdefs.Unauthenticated):
            await node.bus.send(command("wrong"), timeout_s=10)
