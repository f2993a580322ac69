"""Each service of a node under a Redis user of its own, over TLS, and each a process of its own."""

from __future__ import annotations

import socket
import ssl
import uuid
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.redis.services import SERVICES, Service
from shared.jobs.app import broker_url
from tests.support.guarded_redis import GuardedRedis
from tests.support.lone_services import LoneServices, running_alone
from tests.support.node import eventually
from tests.support.plugin_context import Contexts
from tests.support.published import push
from tests.support.registry import RegistryServer

NODE = f"test-{uuid.uuid4().hex[:8]}"
OTHER = "other"


@pytest.fixture(scope="module")
def redis() -> Iterator[GuardedRedis]:
    """Run a Redis with the users of two nodes."""
    with GuardedRedis(NODE, OTHER) as server:
        yield server


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Run a registry."""
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def node(redis: GuardedRedis) -> Iterator[LoneServices]:
    """Run a node whose services are their own users."""
    with running_alone(NODE, {**redis.settings(NODE), "WHERRY_STOP_GRACE_S": "1"}) as running:
        yield running


@pytest.mark.root
def test_services_that_run_alone_do_their_work_under_their_own_users(
    node: LoneServices,
    redis: GuardedRedis,
    registry: RegistryServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Verbs, a push, an install, events, volumes, a killed service: Redis refuses nothing."""
    redis.command("ACL", "LOG", "RESET")
    contexts = Contexts.compiled(tmp_path_factory.mktemp("program"))
    name = f"{registry.authority}/me/guarded:1"
    node.create(name, contexts.tar())
    node.enable(name)
    push(node, name)
    node.docker("plugin", "disable", name)
    node.remove(name)
    node.docker("plugin", "install", "--grant-all-permissions", name)
    node.docker("volume", "create", "vol")
    node.docker("volume", "rm", "vol")
    store = node.processes["store"]
    store.kill()
    store.wait(timeout=20)
    node.start_service("store")
    node.wait_healthy()
    eventually(lambda: "enable" in node.told(name), "the install was told")
    node.remove(name, force=True)
    node.shut_down()
    assert not node.leftovers()
    assert redis.refusals() == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_is_refused_what_is_anothers(redis: GuardedRedis, service: Service) -> None:
    """No commands to whom it has nothing to say, no replies, facts, jobs or nodes of others."""
    for other in (one for one in SERVICES if one is not service):
        for words in _work_of(other, NODE):
            assert _answer(redis, service, *words).startswith("NOPERM"), words
        if other.name not in {*service.sends_to, *service.sends_to_any}:
            stream = f"wherry:{NODE}:{other.name}:commands"
            assert _answer(redis, service, "XADD", stream, "*", "a", "b").startswith("NOPERM")
    for words in (("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST")):
        assert _answer(redis, service, *words).startswith("NOPERM"), words
    own_elsewhere = f"wherry:{OTHER}:{service.name}:replies:1"
    assert _answer(redis, service, "XREAD", "STREAMS", own_elsewhere, "0").startswith("NOPERM")


def test_nobody_gets_in_without_a_password(redis: GuardedRedis) -> None:
    """The default user is off, and one node's password is no good for another's user."""
    wrong = redis.run(f"{OTHER}/store", f"store.{NODE}", "PING")
    assert "WRONGPASS" in wrong or "NOAUTH" in wrong
    assert "NOAUTH" in redis.run("admin", "default", "PING")


def test_what_was_appended_comes_back_with_redis() -> None:
    """A restart keeps what was done in transactions, too, though no client may be the default."""
    with GuardedRedis(NODE) as redis:
        script = "redis.call('SET', 'a', 1) redis.call('SET', 'b', 2)"
        redis.command("EVAL", script, "0")
        redis.restart()
        assert redis.command("MGET", "a", "b").splitlines() == ["1", "2"]
        assert redis.refusals() == []


def test_nothing_is_said_in_the_clear(redis: GuardedRedis) -> None:
    """The port speaks TLS alone, and to nobody whose authority did not sign its certificate."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=10) as plain:
        plain.sendall(b"PING\r\n")
        try:
            answer = plain.recv(64)
        except ConnectionResetError:
            answer = b""
        assert not answer.startswith((b"+PONG", b"-NOAUTH"))
    stranger = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", redis.port), timeout=10) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.wrap_socket(raw, server_hostname="127.0.0.1")


@pytest.mark.parametrize("address", ["bus", "jobs"])
def test_a_redis_that_is_an_impostor_is_not_spoken_to(redis: GuardedRedis, address: str) -> None:
    """Without the authority that signed its certificate, neither bus nor queue logs in."""
    url = f"rediss://store.{NODE}:wrong@127.0.0.1:{redis.port}/0"
    url = broker_url(url) if address == "jobs" else url
    client = Redis.from_url(url)
    with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        client.ping()
    client.close()


def _work_of(service: Service, node: str) -> Iterator[tuple[str, ...]]:
    """Yield what only this service does."""
    mine = f"wherry:{node}:{service.name}"
    yield "XREAD", "STREAMS", f"{mine}:replies:1", "0"
    if service.serves:
        group = ("GROUP", service.name, service.name)
        yield "XREADGROUP", *group, "STREAMS", f"{mine}:commands", ">"
        yield "XDEL", f"{mine}:commands", "1-0"
    if service.relays or service.publishes:
        yield "XADD", f"{mine}:changes", "*", "a", "b"
        yield "DEL", f"{mine}:changes"
    if service.relays:
        yield "SET", f"{mine}:epoch", "another"
    if service.works_off_jobs:
        yield "BRPOP", f"wherry:{node}:celery:node.{node}.pull", "1"


def _answer(redis: GuardedRedis, service: Service, *words: str) -> str:
    return redis.run(f"{NODE}/{service.name}", f"{service.name}.{NODE}", *words)
