"""Which rule holds for which repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pull.domain.trust_policy import (
    TrustMode,
    TrustPolicy,
    TrustRule,
    normalised_prefix,
)
from shared import errdefs
from shared.oci import reference

_PART = st.from_regex(r"[a-z0-9]{1,3}", fullmatch=True)
_PATH = st.lists(_PART, min_size=1, max_size=4)


def chosen(name: str, *prefixes: str) -> str | None:
    """Return the prefix of the rule that holds for a name; None where none does."""
    rules = tuple(
        TrustRule(prefix=normalised_prefix(prefix), mode=TrustMode.WARN) for prefix in prefixes
    )
    rule = TrustPolicy(source="p", rules=rules).rule_for(reference.parse(name))
    return rule.prefix if rule.mode is TrustMode.WARN else None


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("reg.test/team/q", "reg.test/team"),
        ("reg.test/team/px", "reg.test/team"),
        ("reg.test/team", "reg.test/team"),
        ("reg.test/team/a/b:v1", "reg.test/team"),
        ("reg.test/team/p:v1", "reg.test/team/p"),
        ("reg.test/teamx", "reg.test"),
        ("reg.test/teamx/p", "reg.test"),
        ("reg.test:5000/team/p", ""),
        ("reg.testing/team/p", ""),
        ("other.test/reg.test/team", ""),
    ],
)
def test_the_longest_prefix_wins_on_borders_of_components(name: str, prefix: str) -> None:
    """A rule covers its repository and all below it, and no neighbour that begins alike."""
    assert chosen(name, "reg.test/team/p", "", "reg.test/team", "reg.test") == prefix


def test_nothing_is_asked_where_no_rule_covers() -> None:
    """Without a rule signatures are ignored."""
    assert chosen("reg.test/p", "reg.test/team") is None
    assert chosen("reg.test/p") is None


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("REG.test/p", "reg.test"),
        ("reg.test/p", "REG.Test"),
        ("reg.test:443/p", "reg.test"),
        ("reg.test:0443/p", "reg.test"),
        ("reg.test/p", "reg.test:443"),
        ("reg.test:05000/p", "reg.test:5000"),
        ("p", "docker.io/library"),
        ("team/p", "docker.io/team"),
        ("team/p", "index.docker.io/team/"),
        ("registry-1.docker.io/team/p", "docker.io/team"),
        ("index.docker.io:443/team/p", "docker.io/team"),
        ("[::1]:5000/p", "[::1]:5000"),
        ("localhost/p", "localhost"),
    ],
)
def test_a_registry_has_one_name_however_it_is_written(name: str, prefix: str) -> None:
    """Case, the port of HTTPS and Docker Hub's other names are no way round a rule."""
    assert chosen(name, prefix) is not None


@pytest.mark.parametrize(
    "prefix",
    ["team", "team/p", "reg.test/Team", "reg.test/team:v1", "reg.test//p", "*", "reg.test/*", "/"],
)
def test_a_prefix_that_can_not_be_meant_is_refused(prefix: str) -> None:
    """A pattern, a tag or a name without its registry would silently cover nothing."""
    with pytest.raises(errdefs.InvalidArgument, match="registry"):
        normalised_prefix(prefix)


@given(path=_PATH, prefix=_PATH)
def test_a_prefix_covers_just_what_lies_below_its_components(
    path: list[str], prefix: list[str]
) -> None:
    """A prefix covers a repository if its components are the repository's first ones."""
    is_covered = chosen("/".join(["reg.test", *path]), "/".join(["reg.test", *prefix])) is not None

    assert is_covered == (path[: len(prefix)] == prefix)


@given(path=_PATH, prefixes=st.lists(_PATH, max_size=6))
def test_the_rule_is_the_longest_that_covers(path: list[str], prefixes: list[list[str]]) -> None:
    """Of all prefixes that cover a repository the one with most components is chosen."""
    covering = [prefix for prefix in prefixes if path[: len(prefix)] == prefix]
    longest = max(covering, key=len, default=None)

    found = chosen("/".join(["reg.test", *path]), *("/".join(["reg.test", *p]) for p in prefixes))

    assert found == (None if longest is None else "/".join(["reg.test", *longest]))
