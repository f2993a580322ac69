"""Plugins that collect metrics, told when to."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.event.domain import collector
from services.event.service.collectors import Collectors
from shared import errdefs
from shared.contracts.plugin import Plugin
from tests.unit.shared.plugins.test_events import plugin


class FakeCollector:
    """A ports.Collector that answers as it is told to."""

    def __init__(self, *, refusal: str = "", error: errdefs.Error | None = None) -> None:
        self.refusal = refusal
        self.error = error
        self.called: list[str] = []

    async def start_metrics(self, one: Plugin) -> str:
        """Answer."""
        return self._answer("start")

    async def stop_metrics(self, one: Plugin) -> None:
        """Answer."""
        self._answer("stop")

    def _answer(self, call: str) -> str:
        self.called.append(call)
        if self.error is not None:
            raise self.error
        return self.refusal


@pytest.mark.parametrize("refusal", ["", "no room"])
async def test_plugin_s_refusal_is_not_the_engine_s_trouble(refusal: str) -> None:
    """A plugin that says no was told, as in dockerd."""
    fake = FakeCollector(refusal=refusal)

    await Collectors(collector=fake).started(plugin())

    assert fake.called == ["start"]


async def test_plugin_that_cannot_be_reached_is_to_be_told_again() -> None:
    """What keeps a plugin from being told goes to the store, which tries again."""
    fake = FakeCollector(error=errdefs.Unavailable("no answer"))

    with pytest.raises(errdefs.Unavailable):
        await Collectors(collector=fake).started(plugin())


async def test_plugin_that_cannot_be_told_to_stop_is_stopped_all_the_same() -> None:
    """The last call is a courtesy."""
    fake = FakeCollector(error=errdefs.Unavailable("no answer"))

    await Collectors(collector=fake).stopping(plugin())

    assert fake.called == ["stop"]


def test_link_leads_into_the_mounted_folder() -> None:
    """The place where Docker's plugins look is a link to where the socket is found."""
    option = collector.option("event", Path("/run/wherry/metrics"))

    (mount,), (link,) = option.mounts, option.links
    assert mount.source == "/run/wherry/metrics/node"
    assert {"ro", "rbind"} == set(mount.options)
    found = Path(link.path).parent / link.target
    assert found == Path(mount.destination) / "metrics.sock"
