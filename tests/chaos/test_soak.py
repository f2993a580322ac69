"""A constant rate of operations without a fault: what a node takes does not grow.

WHERRY_SOAK_S says for how many seconds, WHERRY_SOAK_RATE how many operations a second.
`make chaos-long` does it for twenty minutes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.support.node import eventually, running_node
from tests.support.plugin_context import Contexts
from tests.support.plugin_verbs import PluginVerbs
from tests.support.registry import RegistryServer
from tests.support.soak.load import Load
from tests.support.soak.reading import Reading, read
from tests.support.soak.trend import Trend, trends

_SECONDS = float(os.environ.get("WHERRY_SOAK_S", "20"))
_RATE = float(os.environ.get("WHERRY_SOAK_RATE", "2"))
#: Lives before the first reading: what is imported and cached only once.
_WARM_UP = 2

_MIB = 1024 * 1024
_MEMORY_BYTES = 6 * _MIB
#: In Redis, whose streams grow until they are as long as they may be, and hold so much then: a node
#: at rest cuts them, so that an early reading may be of hardly any entries.
_STREAM_BYTES = 16 * 1024
_STREAMS_BYTES = 4 * _MIB
_DESCRIPTORS = 4
#: Where history is kept, for so long or so much as is set; and what one operation is of it.
_HISTORY = ("event", "redis", "store", "traces")
_HISTORY_BYTES = 64 * 1024
#: A folder's own blocks, and a database's log that is written anew from its beginning.
_FILES_BYTES = 8 * _MIB
#: Entries of streams that are deleted as soon as they are settled.
_SETTLED = (":commands", ":replies:{process}")
_UNSETTLED = 8


@pytest.mark.timeout(_SECONDS * 2 + 300)
def test_nothing_grows(contexts: Contexts, capsys: pytest.CaptureFixture[str]) -> None:
    """Memory, descriptors and files stay as they are; history takes little."""
    with RegistryServer() as registry, running_node({"WHERRY_STOP_GRACE_S": "1"}) as node:
        verbs = PluginVerbs(node=node, contexts=contexts, remote=f"{registry.authority}/p")
        verbs.publish(("v1", "v2"))
        load = Load(verbs=verbs, per_second=_RATE)
        pids = node.pids()
        readings = list(_soak(load))
        assert node.pids() == pids, "a process ended"
    with capsys.disabled():
        sys.stdout.write("\n".join(("", *_report(load, readings), "")))
    assert not list(_grown(readings))


def _soak(load: Load) -> Iterator[Reading]:
    node = load.verbs.node
    for _ in range(_WARM_UP):
        load.live()
    load.begin()
    over = time.monotonic() + _SECONDS
    while time.monotonic() < over:
        load.live()
        eventually(lambda: not node.files(), "no file of a plugin is left")
        yield read(node, load.operations)


def _grown(readings: Sequence[Reading]) -> Iterator[str]:
    """Say what grew though it must not."""
    for one in trends(readings, lambda reading: reading.memory_bytes):
        if _has_grown(one):
            yield f"memory of {one.name}: {one.early / _MIB:.1f} to {one.late / _MIB:.1f} MiB"
    for one in trends(readings, lambda reading: reading.descriptors):
        if one.growth > _DESCRIPTORS:
            yield f"descriptors of {one.name}: {one.early:.0f} to {one.late:.0f}"
    for one in trends(readings, lambda reading: reading.disk_bytes):
        if one.name in _HISTORY and one.per_operation > _HISTORY_BYTES:
            yield f"{one.name}: {one.per_operation:.0f} bytes of history an operation"
        if one.name not in _HISTORY and one.growth > _FILES_BYTES:
            yield f"files of {one.name}: {one.early:.0f} to {one.late:.0f} bytes"
    for one in trends(readings, lambda reading: reading.entries):
        if one.name.endswith(_SETTLED) and one.late > _UNSETTLED:
            yield f"{one.name}: {one.late:.0f} entries are left"


def _has_grown(memory: Trend) -> bool:
    if memory.name == "redis":
        return memory.per_operation > _STREAM_BYTES and memory.growth > _STREAMS_BYTES
    return memory.growth > _MEMORY_BYTES


def _report(load: Load, readings: Sequence[Reading]) -> Iterator[str]:
    yield (
        f"{load.operations} operations, {load.per_second:g} a second, at most "
        f"{load.late_s:.1f} s late; {len(readings)} readings; early, late:"
    )
    yield from map(_in_mib("memory"), trends(readings, lambda reading: reading.memory_bytes))
    for one in trends(readings, lambda reading: reading.descriptors):
        yield f"descriptors {one.name}: {one.early:.0f}, {one.late:.0f}"
    yield from map(_in_mib("disk"), trends(readings, lambda reading: reading.disk_bytes))
    for one in trends(readings, lambda reading: reading.entries):
        yield f"entries {one.name}: {one.early:.0f}, {one.late:.0f}"


def _in_mib(what: str) -> Callable[[Trend], str]:
    return lambda one: (
        f"{what} {one.name}: {one.early / _MIB:.1f}, {one.late / _MIB:.1f} MiB, "
        f"{one.per_operation:.0f} bytes an operation"
    )
