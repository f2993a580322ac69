"""What plugins of a registry may need at most."""

from __future__ import annotations

import pytest

from services.pull.domain.privilege_policy import PrivilegePolicy, PrivilegeRule
from shared import errdefs
from shared.oci import reference
from shared.oci.privileges import PluginPrivilege


def needs(name: str, *value: str) -> PluginPrivilege:
    return PluginPrivilege(name=name, value=value)


POLICY = PrivilegePolicy(
    source="/p.json",
    rules=(
        PrivilegeRule(prefix=""),
        PrivilegeRule(prefix="reg.test", names=frozenset({"network"})),
        PrivilegeRule(
            prefix="reg.test/team",
            names=frozenset({"capabilities"}),
            values=(needs("mount", "/data", "/run"), needs("network", "host")),
        ),
    ),
)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("other.test/a/b", []),
        ("reg.test/p", [needs("network", "host")]),
        ("reg.test/teams/p", [needs("network", "none")]),
        ("reg.test/team/p", [needs("network", "host"), needs("mount", "/run")]),
        ("reg.test/team/p", [needs("capabilities", "CAP_SYS_ADMIN", "CAP_BPF")]),
    ],
)
def test_what_the_longest_prefix_allows_is_allowed(
    name: str, needed: list[PluginPrivilege]
) -> None:
    """A name allows any value, a name with values these."""
    POLICY.check(reference.parse(name), needed)


@pytest.mark.parametrize(
    ("name", "needed", "text"),
    [
        ("other.test/a/b", needs("network", "host"), "network host, which the .* all repositories"),
        ("reg.test/p", needs("mount", "/data"), "mount /data, which the .* for reg.test does"),
        ("reg.test/team/p", needs("network", "none"), "network none, which"),
        ("reg.test/team/p", needs("mount", "/data", "/etc"), "needs mount /etc, which"),
        ("reg.test/team/p", needs("device", "/data"), "device /data, which"),
    ],
)
def test_what_it_does_not_allow_is_refused(name: str, needed: PluginPrivilege, text: str) -> None:
    """The text names the plugin, what is too much, the rule and the file."""
    with pytest.raises(errdefs.PermissionDenied, match=text) as refused:
        POLICY.check(reference.parse(name), [needed])

    assert refused.value.message.startswith(f"{name} needs ")
    assert refused.value.message.endswith("or change /p.json")


def test_what_no_rule_covers_may_need_anything() -> None:
    """Without rules, or under none of them, there are no limits."""
    policy = PrivilegePolicy(source="/p.json", rules=POLICY.rules[1:])

    policy.check(reference.parse("other.test/p"), [needs("allow-all-devices", "true")])
