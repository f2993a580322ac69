"""What a service's spec must be."""

from __future__ import annotations

from typing import Any

import pytest

from services.controller.domain import service_spec
from shared import errdefs
from shared.contracts.swarm import PluginSpec, RestartPolicy, ServiceSpec, UpdateConfig


def spec(**changes: Any) -> ServiceSpec:
    """Return a spec with changes."""
    base = ServiceSpec(name="s", plugin=PluginSpec(remote="registry.example:5000/a/p:v1"))
    return base.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "meta: name must be provided"),
        ({"name": "a.b"}, "name must be valid as a DNS name component"),
        ({"name": "a-"}, "name must be valid as a DNS name component"),
        ({"name": "a" * 64}, "name must be 63 characters or fewer"),
        ({"constraints": ("x",)}, "constraint expected one operator from ==, !="),
        (
            {"restart": RestartPolicy(delay_ns=-1)},
            "TaskSpec: restart-delay cannot be negative",
        ),
        (
            {"restart": RestartPolicy(window_ns=-1)},
            "TaskSpec: restart-window cannot be negative",
        ),
        ({"update": UpdateConfig(delay_ns=-1)}, "TaskSpec: update-delay cannot be negative"),
        ({"rollback": UpdateConfig(monitor_ns=-1)}, "TaskSpec: update-monitor cannot be negative"),
        (
            {"update": UpdateConfig(max_failure_ratio=1.5)},
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ),
        (
            {"plugin": PluginSpec(remote="A")},
            'error parsing remote reference "A": invalid reference format: repository name (library/A) must be lowercase',  # noqa: E501 - Docker's text, whole
        ),
        (
            {"plugin": PluginSpec(remote="a", name=f"p@sha256:{'0' * 64}")},
            f'error parsing plugin name "p@sha256:{"0" * 64}": cannot use digest in plugin tag',
        ),
    ],
)
def test_a_spec_that_no_service_can_have_is_refused(changes: dict[str, Any], text: str) -> None:
    """The text is swarm's, where swarm has one."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        service_spec.check(spec(**changes))
    assert raised.value.message == text
    assert not raised.value.docker_unclassed


def test_a_spec_that_is_right_passes() -> None:
    """A name, a remote and nothing else are enough."""
    service_spec.check(spec())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "registry.example:5000/a/p:v1"), ("p", "p:latest"), ("p:x", "p:x")],
)
def test_the_plugin_s_name(name: str, expected: str) -> None:
    """Without a name of its own the plugin is called by its remote reference."""
    plugin = PluginSpec(remote="registry.example:5000/a/p:v1", name=name)

    assert service_spec.plugin_name(spec(plugin=plugin)) == expected


def test_a_service_keeps_its_name() -> None:
    """Another name is another service."""
    with pytest.raises(errdefs.Unimplemented, match="renaming services is not supported"):
        service_spec.check_change(spec(), spec(name="other"))
