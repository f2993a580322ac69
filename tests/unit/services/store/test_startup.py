"""What the store finds when it starts, what it does about that, and what it says of it."""

from __future__ import annotations

from services.store.domain import status
from services.store.domain.operation import Change, Kind, Operation, Unit
from shared.contracts.executor import Container, ContainerStatus
from shared.contracts.job import BeginJob, JobKind, JobRequest
from shared.contracts.plugin import PluginState
from shared.contracts.recovery import GetRecovery, InterruptedOperation, Outcome, RecoveryReport
from shared.contracts.store import EnablePlugin, SupervisePlugin
from shared.contracts.supervision import RestartPolicy, Supervision
from tests.support.executor import FakeExecutor
from tests.support.store import StoreUnderTest, delivery
from tests.support.wait import eventually
from tests.unit.services.store.test_supervisor import crash, running


async def report(store: StoreUnderTest) -> RecoveryReport:
    """Wait until the store has recovered; return what it says."""
    await eventually(lambda: store.startup.current.ended_at_ns is not None)
    return await store.startup.report(GetRecovery(), delivery())


async def interrupted(kind: Kind) -> StoreUnderTest:
    """Return a store that was killed right after it had begun an operation on the plugin p."""
    store = StoreUnderTest()
    plugin = await store.install(enabled=False)
    container_id = status.next_container_id(plugin)
    changed = status.starting(plugin) if kind is Kind.ENABLE else status.stopping(plugin)
    operation = Operation(
        plugin_id=plugin.plugin_id, kind=kind, message_id="m", container_id=container_id
    )
    await store.inventory.commit(Unit(changes=(Change.of(changed),), begin=operation))
    return await store.restarted()


async def test_start_after_an_orderly_end_has_nothing_to_say() -> None:
    """The report is there, and empty but for how many plugins there are."""
    store = StoreUnderTest()
    await running(store)

    again = await store.restarted()

    said = await report(again)
    begun_ns, ended_ns = said.begun_at_ns, said.ended_at_ns
    assert said == RecoveryReport(begun_at_ns=begun_ns, ended_at_ns=ended_ns, plugins=1)
    await again.close()


async def test_enable_that_was_cut_short_is_undone_and_told() -> None:
    """Nobody was told that it is enabled: it is stopped, and an event says why."""
    store = await interrupted(Kind.ENABLE)

    said = await report(store)

    (plugin,) = store.inventory.all()
    assert said.operations == (
        InterruptedOperation(
            plugin_id=plugin.plugin_id,
            plugin="p:latest",
            kind="enable",
            outcome=Outcome.UNDONE,
        ),
    )
    assert (plugin.enabled, plugin.status.state) == (False, PluginState.STOPPED)
    assert plugin.status.message == "its start was cut short: enable it again"
    assert store.records.actions() == ["start_failed"]
    await store.close()


async def test_remove_that_was_cut_short_is_finished_and_told() -> None:
    """Once it was decided, it is done; the report still knows the name of what is gone."""
    store = await interrupted(Kind.REMOVE)

    said = await report(store)

    assert [(one.plugin, one.outcome) for one in said.operations] == [
        ("p:latest", Outcome.FINISHED)
    ]
    assert store.inventory.all() == ()
    assert store.records.actions() == ["remove"]
    await store.close()


async def test_leftovers_are_swept_and_named() -> None:
    """Folders and containers that belong to nobody go, and the report says which."""
    fake = FakeExecutor()
    fake.containers["stray-1"] = Container(
        container_id="stray-1", status=ContainerStatus.RUNNING, pid=1, socket_dir="/run/stray-1"
    )
    store = StoreUnderTest(executor=fake)
    store.fake_folders.installed.add("ff" * 32)
    store.fake_folders.staged.add("half-made")

    again = await store.restarted()

    said = await report(again)
    assert said.removed_folders == ("ff" * 32,)
    assert said.removed_work == 1
    assert said.removed_containers == ("stray-1",)
    assert not fake.containers
    await again.close()


async def test_plugin_in_the_hands_of_a_job_is_left_to_that() -> None:
    """A reboot in the middle of a push: the plugin's end is found by a look, as any other."""
    store = StoreUnderTest()
    plugin = await running(store)
    push = JobRequest(kind=JobKind.PUSH, name="p:latest", remote="registry.example/p:v1")
    await store.jobs.begin(BeginJob(job_id="j", request=push), delivery())
    store.executor.containers.clear()

    again = await store.restarted(with_host=True)

    await eventually(lambda: again.records.actions()[-2:] == ["die", "restart"])
    assert again.now(plugin).status.state is PluginState.RUNNING
    assert (await report(again)).jobs == ("j",)
    await again.close()


async def test_plugins_start_anew_with_the_host() -> None:
    """After a reboot nothing has died: what is wished is started, whatever its policy left."""
    store = StoreUnderTest()
    plugin = await running(store)
    other = await store.install("other")
    await store.lifecycle.enable(EnablePlugin(name="other"), delivery())
    said = Supervision(restart_policy=RestartPolicy.parse("no"))
    await store.supervision.supervise(SupervisePlugin(name="p", supervision=said), delivery())
    await crash(store, plugin)
    await eventually(lambda: store.now(plugin).status.state is PluginState.EXITED)
    told = len(store.records.actions())
    store.executor.containers.clear()

    again = await store.restarted(with_host=True)

    await eventually(lambda: again.now(plugin).status.state is PluginState.RUNNING)
    await eventually(lambda: again.now(other).status.state is PluginState.RUNNING)
    assert again.records.actions()[told:] == ["restart", "restart"]
    assert (await report(again)).rebooted
    assert not again.boot.is_another()
    await again.close()
