"""The runtimes of a node."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.node.runtimes import OciRuntime, Runtimes


def test_runc_runs_where_nothing_is_said() -> None:
    """The stock runtime is always there, and the default."""
    assert Runtimes.from_env({}).chosen == OciRuntime(path="runc")
    assert Runtimes.from_env({"WHERRY_RUNC": "/opt/runc"}).chosen.path == "/opt/runc"


def test_another_is_added_and_chosen() -> None:
    """A runtime has a path and what it is always told first."""
    runtimes = Runtimes.from_env(
        {
            "WHERRY_RUNTIMES": '{"mine": {"path": "/r", "runtimeArgs": ["--debug"]}}',
            "WHERRY_DEFAULT_RUNTIME": "mine",
        }
    )
    assert runtimes.chosen == OciRuntime(path="/r", args=("--debug",))
    assert sorted(runtimes.by_name) == ["mine", "runc"]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"WHERRY_DEFAULT_RUNTIME": "x"}, "specified default runtime 'x' does not exist"),
        ({"WHERRY_RUNTIMES": "[]"}, "^WHERRY_RUNTIMES="),
        ({"WHERRY_RUNTIMES": '{"a": {}}'}, "^WHERRY_RUNTIMES="),
        ({"WHERRY_RUNTIMES": '{"a": {"path": 1}}'}, "^WHERRY_RUNTIMES="),
        ({"WHERRY_RUNTIMES": '{"runc": {"path": "/r"}}'}, "runtime name 'runc' is reserved"),
    ],
)
def test_what_is_no_runtime_is_refused(env: dict[str, str], message: str) -> None:
    """A wrong value stops the start, and says what is meant."""
    with pytest.raises(errdefs.InvalidArgument, match=message):
        Runtimes.from_env(env)
