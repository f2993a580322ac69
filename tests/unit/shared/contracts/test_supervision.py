"""How a plugin is supervised, as people write it."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.contracts import supervision
from shared.contracts.supervision import (
    Health,
    OnUnhealthy,
    RestartPolicy,
    RestartPolicyName,
    Supervised,
    Supervision,
)
from shared.oci.plugin_extension import HealthExtension, PluginExtension


@pytest.mark.parametrize("text", ["always", "no", "on-failure", "on-failure:3"])
def test_restart_policy_is_read_and_written_as_docker_does(text: str) -> None:
    """A policy reads back as what was written."""
    assert str(RestartPolicy.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "never", "always:3", "on-failure:", "on-failure:-1", "no:1", "on-failure:9999999"]
)
def test_restart_policy_that_is_none_is_refused(text: str) -> None:
    """The refusal names what was said and what can be."""
    with pytest.raises(errdefs.InvalidArgument, match="it is always, no, on-failure or"):
        RestartPolicy.parse(text)


def test_declaration_becomes_values() -> None:
    """Durations become seconds, names get their tag, what is not said is not said."""
    extension = PluginExtension(
        restart="on-failure:2",
        health=HealthExtension(test=("CONNECT",), interval="1m30s", on_unhealthy="restart"),
        requires=("vault", "capability=VolumeDriver", "vault:latest"),
    )

    assert supervision.declared(extension) == Supervision(
        restart_policy=RestartPolicy(name=RestartPolicyName.ON_FAILURE, maximum_retry_count=2),
        health=Health(test=("CONNECT",), interval_s=90.0, on_unhealthy=OnUnhealthy.RESTART),
        requires=("vault:latest", "capability=volumedriver"),
    )
    assert supervision.declared(PluginExtension()) == Supervision()


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        (PluginExtension(restart="sometimes"), "restart policy sometimes is invalid"),
        (PluginExtension(requires=("A B",)), "requirement A B is invalid"),
        (PluginExtension(requires=("p@sha256:" + "a" * 64,)), "a name here has no digest"),
        (PluginExtension(health=HealthExtension(test=("CALL",))), "health test"),
        (PluginExtension(health=HealthExtension(test=("CMD",))), "health test"),
        (PluginExtension(health=HealthExtension(test=("CALL", "a b"))), "health test"),
        (PluginExtension(health=HealthExtension(interval="10")), "duration 10 is invalid"),
        (PluginExtension(health=HealthExtension(on_unhealthy="kill")), "health check is invalid"),
    ],
)
def test_declaration_that_can_not_be_meant_is_refused(
    extension: PluginExtension, message: str
) -> None:
    """An author hears what is wrong, when the plugin is made."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        supervision.declared(extension)


def test_operator_counts_instead_of_the_author_where_he_says_something() -> None:
    """What an operator sets replaces that part alone."""
    author = Supervision(restart_policy=RestartPolicy.parse("no"), requires=("a:latest",))
    operator = Supervision(restart_policy=RestartPolicy.parse("on-failure"))

    assert Supervised.of(author, operator) == Supervised(
        restart_policy=RestartPolicy.parse("on-failure"), requires=("a:latest",)
    )
    assert Supervised.of() == Supervised()
