"""`wherry plugin` and `wherry job` as processes, against a gateway on a real Redis."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator

import pytest

from services.cli.adapters.api import UnixApi
from services.cli.adapters.docker_config import DockerConfig
from shared import errdefs
from tests.support.job_node import LAYER, NETWORK, JobNode, job_node, output_of
from tests.support.redis import RedisServer
from tests.support.wait import eventually

_PULL = ("plugin", "pull", "--grant-all-permissions", "host:5000/p:v1")


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[JobNode]:
    """Run the node."""
    async with job_node(redis_server) as node:
        yield node


async def test_pull(node: JobNode) -> None:
    """A pull uses Docker's login, shows its progress, and says what it made."""
    config = {"auths": {"host:5000": {"auth": "dTpw"}}}
    (node.root / "config.json").write_text(json.dumps(config))
    pulling = await node.wherry(*_PULL, "--alias", "q")
    work = await node.puller.take()
    sealed = work.taken.request.credentials
    assert sealed is not None
    login = json.loads(node.puller.opener.open(sealed, work.job_id))
    assert login == {"auth": "dTpw", "serveraddress": "host:5000"}
    assert work.taken.request.privileges == (NETWORK,)
    await work.say("Downloading", LAYER, current=1, total=2)
    await work.say("Complete", LAYER)
    await work.commit()
    output = await output_of(pulling)
    assert pulling.returncode == 0, output
    assert output.splitlines() == [
        f"{LAYER}: Downloading",
        f"{LAYER}: Complete",
        "installed q:latest; `docker plugin enable q:latest` starts it",
    ]
    listed = await output_of(await node.wherry("plugin", "ls"))
    assert "q:latest" in listed
    pushing = await node.wherry("plugin", "push", "q")
    work = await node.puller.take()
    await work.say("", aux={"Tag": "latest", "Digest": "sha256:d", "Size": 1})
    await work.finish_push()
    assert (await output_of(pushing)) == "pushed q:latest, sha256:d\n"


async def test_nobody_consents(node: JobNode) -> None:
    """Without a person to ask, and without the flag, nothing is granted and nothing begun."""
    pulling = await node.wherry("plugin", "pull", "host:5000/p:v1")
    output = await output_of(pulling)
    assert pulling.returncode == 1
    assert " - network: [host]\n" in output
    assert not node.store.inventory.jobs()


async def test_ctrl_c(node: JobNode) -> None:
    """Ctrl-C cancels the job, says so, and the exit status tells it."""
    pulling = await node.wherry(*_PULL)
    work = await node.puller.take()
    await work.say("Waiting", LAYER)
    assert pulling.stdout is not None
    await pulling.stdout.readline()
    pulling.send_signal(signal.SIGINT)
    await eventually(work.is_cancelled)
    await work.fail("the job was cancelled")
    output = await output_of(pulling)
    assert pulling.returncode == 130
    assert f"cancelling job {work.job_id}" in output
    assert f"job {work.job_id} is cancelled; nothing was changed here" in output


async def test_ctrl_c_too_late(node: JobNode) -> None:
    """A job that was faster than Ctrl-C has done its work, and both are said."""
    pulling = await node.wherry(*_PULL)
    work = await node.puller.take()
    await work.say("Waiting", LAYER)
    assert pulling.stdout is not None
    await pulling.stdout.readline()
    await work.commit(silent=True)
    pulling.send_signal(signal.SIGINT)
    output = await output_of(pulling)
    assert pulling.returncode == 0
    assert "cancelling job" in output
    assert "installed host:5000/p:v1" in output


async def test_failure(node: JobNode) -> None:
    """A job that fails ends the command with its error."""
    pulling = await node.wherry(*_PULL)
    await (await node.puller.take()).fail("no such plugin")
    output = await output_of(pulling)
    assert (pulling.returncode, output) == (1, "Error: no such plugin\n")


async def test_detached(node: JobNode) -> None:
    """A detached job is looked at, listed and cancelled by its id."""
    job_id = (await output_of(await node.wherry(*_PULL, "--detach"))).strip()
    assert job_id in await output_of(await node.wherry("job", "ls"))
    shown = json.loads(await output_of(await node.wherry("job", "show", job_id, "--json")))
    assert (shown["state"], shown["name"]) == ("queued", "host:5000/p:v1")
    work = await node.puller.take()
    await output_of(await node.wherry("job", "cancel", job_id))
    assert work.is_cancelled()
    await work.fail("the job was cancelled")
    assert "state     cancelled" in await output_of(await node.wherry("job", "show", job_id))
    over = await output_of(await node.wherry("job", "cancel", job_id))
    assert "is over already: it is cancelled" in over


async def test_unknown_job(node: JobNode) -> None:
    """A job that is not there is an error in a sentence."""
    showing = await node.wherry("job", "show", "nosuch")
    assert (await output_of(showing)) == "Error: job nosuch not found\n"
    assert showing.returncode == 1


async def test_logs_of_a_plugin_that_does_not_run(node: JobNode) -> None:
    """The gateway's refusal is shown as it is."""
    asking = await node.wherry("plugin", "logs", "nosuch")
    assert (await output_of(asking)) == 'Error: plugin "nosuch" not found\n'


async def test_nobody_answers(node: JobNode) -> None:
    """Without a gateway a person is told where none answers."""
    api = UnixApi(socket=node.root / "nothing")
    with pytest.raises(errdefs.Unavailable, match="nothing"):
        api.plugins()


async def test_broken_docker_config(node: JobNode) -> None:
    """A config that is no JSON is named."""
    (node.root / "config.json").write_text("{")
    with pytest.raises(errdefs.InvalidArgument, match=r"config\.json"):
        DockerConfig({"DOCKER_CONFIG": str(node.root)}).find("host")
