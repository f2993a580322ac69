"""runc's answers become values, and garbage an error."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared import runc_ctl
else:
    import runc_ctl

MakeFake = Callable[[str], str]

STATE = {
    "ociVersion": "1.0.2-dev",
    "id": "c1",
    "pid": 4711,
    "status": "running",
    "bundle": "/b",
    "rootfs": "/b/rootfs",
    "created": "2026-11-22T12:42:24.546043967Z",
    "annotations": {"a": "b"},
    "owner": "root",
}
CONTAINER = runc_ctl.Container(
    id="c1",
    status=runc_ctl.Status.RUNNING,
    pid=4711,
    bundle=Path("/b"),
    rootfs=Path("/b/rootfs"),
    created=datetime(2026, 11, 22, 12, 42, 24, 546043, tzinfo=UTC),
    owner="root",
    oci_version="1.0.2-dev",
    annotations={"a": "b"},
)
VERSION = "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1\nspec: 1.0.2-dev\ngo: go1.19.8\n"
Ask = Callable[["runc_ctl.Runc"], Awaitable[object]]


def says(fake: MakeFake, text: str) -> runc_ctl.Runc:
    return runc_ctl.Runc(command=fake(f"cat <<'END'\n{text}\nEND\n"))


@pytest.mark.parametrize(
    ("ask", "text", "value"),
    [
        (lambda runc: runc.state("c1"), json.dumps(STATE), CONTAINER),
        (lambda runc: runc.list(), json.dumps([STATE]), (CONTAINER,)),
        (lambda runc: runc.list(), "null", ()),
        (lambda runc: runc.list(), "[]", ()),
        (lambda runc: runc.ps("c1"), "[1, 22]", (1, 22)),
        (lambda runc: runc.ps("c1"), "null", ()),
        (
            lambda runc: runc.version(),
            VERSION,
            runc_ctl.Version(
                runc="1.1.5+ds1", commit="1.1.5+ds1-1", spec="1.0.2-dev", go="go1.19.8"
            ),
        ),
        (lambda runc: runc.version(), "runc version 1.3.0", runc_ctl.Version(runc="1.3.0")),
    ],
)
async def test_answers_are_read(fake: MakeFake, ask: Ask, text: str, value: object) -> None:
    """What runc prints comes back as the value it stands for."""
    assert await ask(says(fake, text)) == value


@pytest.mark.parametrize("garbage", ["", "garbage", "[[]]", '{"id": 1}', "[null]", '"c1"', "7"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda runc: runc.state("c1"),
        lambda runc: runc.list(),
        lambda runc: runc.ps("c1"),
        lambda runc: runc.stats("c1"),
        lambda runc: runc.features(),
        lambda runc: runc.version(),
    ],
    ids=["state", "list", "ps", "stats", "features", "version"],
)
async def test_garbage_is_an_error(fake: MakeFake, ask: Ask, garbage: str) -> None:
    """Output of another form raises RuncError with the output in it, never something else."""
    with pytest.raises(runc_ctl.RuncError, match="printed what is not understood"):
        await ask(says(fake, garbage))


def test_an_unknown_status_is_refused() -> None:
    """A status this package does not know is not passed on as if it did."""
    with pytest.raises(ValueError, match="melting"):
        runc_ctl.Container.from_json(STATE | {"status": "melting"})


async def test_features_are_read(fake: MakeFake) -> None:
    """What the build can do is told by names, and the whole answer kept."""
    answer = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.1.0",
        "hooks": ["prestart"],
        "linux": {
            "namespaces": ["pid"],
            "cgroup": {"v1": True, "systemd": True},
            "seccomp": {"enabled": True},
            "apparmor": {"enabled": False},
        },
    }

    features = await says(fake, json.dumps(answer)).features()

    assert (features.oci_version_min, features.oci_version_max) == ("1.0.0", "1.1.0")
    assert (features.hooks, features.namespaces) == (("prestart",), ("pid",))
    assert (features.cgroup_v1, features.cgroup_v2, features.cgroup_systemd) == (True, False, True)
    assert (features.seccomp, features.apparmor, features.selinux) == (True, False, False)
    assert features.raw == answer


async def test_features_of_an_old_runc_are_unsupported(fake: MakeFake) -> None:
    """A runc before 1.1 knows no `features`, and the error says which one does."""
    runc = runc_ctl.Runc(command=fake("echo \"No help topic for 'features'\" >&2; exit 3"))

    with pytest.raises(runc_ctl.Unsupported, match=r"needs runc 1\.1"):
        await runc.features()


async def test_events_are_read_until_the_end(fake: MakeFake) -> None:
    """Stats come with figures, notices without, and the iterator ends with runc."""
    stats = {
        "cpu": {"usage": {"total": 5}},
        "memory": {"usage": {"usage": 7}},
        "pids": {"current": 2},
    }
    lines = [{"type": "stats", "id": "c1", "data": stats}, {"type": "oom", "id": "c1"}]

    runc = says(fake, "\n".join(map(json.dumps, lines)))
    first, second = [event async for event in runc.events("c1")]

    assert first.stats
    assert (first.stats.cpu_total_ns, first.stats.memory.usage, first.stats.pids) == (5, 7, 2)
    assert second == runc_ctl.Event(type="oom", container_id="c1", stats=None)


async def test_a_garbled_event_is_an_error(fake: MakeFake) -> None:
    """A line that is no event ends the iterator with an error, and runc with it."""
    with pytest.raises(runc_ctl.RuncError, match="garbage"):
        _ = [event async for event in says(fake, "garbage").events("c1")]
