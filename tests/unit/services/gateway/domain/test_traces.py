"""Which recent traces are listed, and which one is meant."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.domain import traces
from shared import errdefs
from shared.telemetry.kept import KeptSpan


def root(name: str, start_ns: int, took_ns: int, **more: Any) -> KeptSpan:
    """Return the first span of a trace."""
    return KeptSpan(
        **{
            "trace_id": f"{name:0<32}",
            "parent_id": "",
            "span_id": name,
            "name": name,
            "service": "gateway",
            "kind": "server",
            "start_ns": start_ns,
            "end_ns": start_ns + took_ns,
            **more,
        }
    )


_ROOTS = (
    root("a1", 1, 30, attributes={"wherry.plugin": "p:latest"}),
    root("a2", 2, 10, attributes={"wherry.plugin": "q"}),
    root("b3", 3, 20, kind="consumer"),
)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, ["a2", "a1"], id="requests, newest first"),
        pytest.param({"everything": True}, ["b3", "a2", "a1"], id="all"),
        pytest.param({"is_slow_first": True}, ["a1", "a2"], id="slowest first"),
        pytest.param({"limit": 1}, ["a2"], id="some"),
        pytest.param({"plugin": "p"}, ["a1"], id="of a plugin, with or without its tag"),
        pytest.param({"plugin": "nobody"}, [], id="of none"),
    ],
)
def test_listed(wish: dict[str, Any], expected: list[str]) -> None:
    """Requests are listed unless all is asked for."""
    given = {"everything": False, "plugin": "", "is_slow_first": False, "limit": 9, **wish}

    assert [one.name for one in traces.listed(_ROOTS, **given)] == expected


def test_a_trace_is_chosen_by_the_beginning_of_its_id() -> None:
    """What is linked to it comes along, apart."""
    later = root("ffff", 9, 1, links=(f"{'a1':0<32}",))
    after_that = root("eeee", 10, 1, links=(later.trace_id,))

    found = traces.chosen((_ROOTS[0], later, after_that), "a100")
    assert found.spans == (_ROOTS[0],)
    assert found.linked == (later, after_that)


def test_several_or_none_are_refused() -> None:
    """The message says which, or where to look."""
    with pytest.raises(errdefs.InvalidArgument, match="several"):
        traces.chosen(_ROOTS, "a")
    with pytest.raises(errdefs.NotFound, match="wherry trace ls"):
        traces.chosen(_ROOTS, "dead")


@pytest.mark.parametrize("text", ["", "abc", "../x", "XYZ0", "a" * 33])
def test_what_is_no_id_is_refused(text: str) -> None:
    """Four hexadecimal digits at least."""
    with pytest.raises(errdefs.InvalidArgument):
        traces.check_id(text)
