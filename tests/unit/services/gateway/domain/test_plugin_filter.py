"""Which plugins a list shows."""

from __future__ import annotations

import pytest

from services.gateway.domain.plugin_filter import PluginFilter, capabilities
from shared import errdefs
from tests.support.gateway import plugin

_TWO_TYPES = {"Interface": {"Types": ["docker.volumedriver/1.0", "docker.metricscollector/1.0"]}}


@pytest.mark.parametrize(
    ("raw", "is_shown"),
    [
        ("", True),
        ('{"enabled":["false"]}', True),
        ('{"enabled":["true"]}', False),
        ('{"capability":{"volumedriver":true}}', True),
        ('{"capability":{"metricscollector":true}}', True),
        ('{"capability":{"networkdriver":true,"volumedriver":true}}', True),
        ('{"capability":{"^volume":true}}', True),
        ('{"capability":{"authz":true}}', False),
        ('{"capability":{"(":true}}', False),
        ('{"capability":{}}', True),
        ('{"capability":{"volumedriver":true},"enabled":{"true":true}}', False),
    ],
)
def test_matches(raw: str, is_shown: bool) -> None:
    """One capability that fits, as a word or as a pattern, is enough; all keys must fit."""
    assert PluginFilter.parse(raw).matches(plugin(config=_TWO_TYPES)) is is_shown


def test_unknown_key_is_refused() -> None:
    """Only the two keys are known."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^invalid filter 'name'$"):
        PluginFilter.parse('{"name":["x"]}')


@pytest.mark.parametrize(
    "config", [{}, {"Interface": None}, {"Interface": {}}, {"Interface": {"Types": None}}]
)
def test_no_capabilities(config: dict[str, object]) -> None:
    """A plugin may have no types at all, and then no capability filter lets it through."""
    one = plugin(config=config)
    assert capabilities(one) == ()
    assert not PluginFilter.parse('{"capability":["volumedriver"]}').matches(one)
