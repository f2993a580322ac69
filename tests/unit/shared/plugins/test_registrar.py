"""A service's side of registrations: callbacks called, leases renewed."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.contracts.capability import (
    CallHandler,
    CapabilityKey,
    Moment,
    RegisterHandler,
    RegisterRuntimeOption,
    RuntimeOption,
)
from shared.contracts.message import Done, Message
from shared.contracts.plugin import Plugin
from shared.plugins.registrar import CapabilityHandler, Registrar
from tests.support.bus import FakeSender, delivery
from tests.support.wait import eventually
from tests.unit.shared.plugins.test_events import plugin

METRICS = CapabilityKey(capability="metricscollector")


class Calls:
    """Callbacks that keep what they were called with."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.refusal: errdefs.Error | None = None

    async def started(self, one: Plugin) -> None:
        """Take a plugin."""
        if self.refusal is not None:
            raise self.refusal
        self.made.append(("started", one.name))

    async def stopping(self, one: Plugin) -> None:
        """Let go of a plugin."""
        self.made.append(("stopping", one.name))


def registrar(calls: Calls, sender: FakeSender, *, ttl_s: int = 60) -> Registrar:
    """Return a registrar of one handler and one option."""
    handler = CapabilityHandler(key=METRICS, started=calls.started, stopping=calls.stopping)
    option = RuntimeOption(owner="anybody", key=METRICS, env=("A=1",))
    return Registrar(
        sender=sender, service="event", handlers=(handler,), options=(option,), ttl_s=ttl_s
    )


def store() -> FakeSender:
    """Return a store that takes every registration."""
    return FakeSender({RegisterHandler: Done(), RegisterRuntimeOption: Done()})


async def test_options_are_registered_before_handlers_and_in_the_service_s_name() -> None:
    """No plugin is told of before it would get what its handler counts on."""
    sender = store()

    await registrar(Calls(), sender).register()

    option, handler = sender.sent
    assert isinstance(option, RegisterRuntimeOption)
    assert option.option.owner == "event"
    assert isinstance(handler, RegisterHandler)
    assert (handler.handler.consumer, handler.handler.hears_of_stops) == ("event", True)


async def test_renewals_bear_the_process_and_another_start_another() -> None:
    """The store tells a renewal from a service that was started anew."""
    sender = store()
    first, second = registrar(Calls(), sender), registrar(Calls(), sender)

    for one in (first, first, second):
        await one.register()

    processes = [c.process for c in sender.sent if isinstance(c, RegisterHandler)]
    assert processes[0] == processes[1] != processes[2]


async def test_registering_goes_on_until_the_store_answers() -> None:
    """A store that is away only delays a registration."""
    sender = store()
    answers: list[Message | Exception] = [errdefs.Unavailable("away"), Done()]
    sender.answers[RegisterRuntimeOption] = lambda _: answers.pop(0)

    running = asyncio.create_task(registrar(Calls(), sender).run())

    await eventually(lambda: any(isinstance(c, RegisterHandler) for c in sender.sent))
    running.cancel()


@pytest.mark.parametrize("moment", list(Moment))
async def test_call_runs_the_callback_of_its_moment(moment: Moment) -> None:
    """The store's call ends up in the service's own function."""
    calls = Calls()
    made = registrar(calls, store())
    call = CallHandler(moment=moment, interface="docker.metricscollector/1.0", plugin=plugin())

    assert await made.commands()[CallHandler](call, delivery()) == Done()

    assert calls.made == [(moment.value, "p:latest")]


async def test_refusal_of_a_callback_is_the_answer() -> None:
    """What the service raises is what the store hears."""
    calls = Calls()
    calls.refusal = errdefs.InvalidArgument("not mine")
    call = CallHandler(
        moment=Moment.STARTED, interface="docker.metricscollector/1.0", plugin=plugin()
    )

    with pytest.raises(errdefs.InvalidArgument, match="not mine"):
        await registrar(calls, store()).call(call, delivery())


async def test_call_for_what_nobody_handles_is_refused() -> None:
    """A service that no longer handles a capability says so."""
    call = CallHandler(moment=Moment.STARTED, interface="docker.logdriver/1.0", plugin=plugin())

    with pytest.raises(errdefs.Unimplemented, match="event does not handle"):
        await registrar(Calls(), store()).call(call, delivery())
