"""A volume driver of the test's own, which can be told to wait, to refuse or to be silent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.plugin_server import PluginServer

#: Longer than any test waits.
_HELD_S = 60.0


class VolumeDriver:
    """VolumeDriver.* over a dictionary; *errors* by method are answered instead."""

    def __init__(self) -> None:
        self.volumes: dict[str, dict[str, str]] = {}
        #: Ids that have a volume mounted.
        self.holders: dict[str, set[str]] = {}
        self.errors: dict[str, str] = {}
        self.scope = "global"
        self._gates: dict[str, tuple[bool, threading.Event, threading.Event]] = {}

    def answer(self, method: str, args: dict[str, Any]) -> tuple[int, Any]:
        """Answer a call."""
        verb = method.removeprefix("VolumeDriver.")
        if verb in self.errors:
            return 200, {"Err": self.errors[verb]}
        is_before, reached, opened = self._gates.get(verb, (False, None, None))
        if is_before and reached and opened:
            reached.set()
            opened.wait(_HELD_S)
        said = getattr(self, f"_{verb.lower()}")(args)
        if not is_before and reached and opened:
            reached.set()
            opened.wait(_HELD_S)
        return 200, said

    @contextmanager
    def held(self, verb: str, *, before: bool = False) -> Iterator[threading.Event]:
        """Let calls of a verb wait, before or after they did their work, until the block ends.

        The event is set when one waits.
        """
        reached, opened = threading.Event(), threading.Event()
        self._gates[verb] = (before, reached, opened)
        try:
            yield reached
        finally:
            del self._gates[verb]
            opened.set()

    def _create(self, args: dict[str, Any]) -> dict[str, Any]:
        self.volumes.setdefault(args["Name"], args["Opts"])
        return {}

    def _remove(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["Name"] not in self.volumes:
            return {"Err": "there is none"}
        del self.volumes[args["Name"]]
        return {}

    def _get(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["Name"] not in self.volumes:
            return {"Err": "there is none"}
        return {"Volume": self._shown(args["Name"])}

    def _list(self, _args: dict[str, Any]) -> dict[str, Any]:
        return {"Volumes": [self._shown(name) for name in self.volumes]}

    def _mount(self, args: dict[str, Any]) -> dict[str, Any]:
        self.holders.setdefault(args["Name"], set()).add(args["ID"])
        return {"Mountpoint": f"/data/{args['Name']}"}

    def _unmount(self, args: dict[str, Any]) -> dict[str, Any]:
        self.holders.get(args["Name"], set()).discard(args["ID"])
        return {}

    def _path(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"Mountpoint": f"/data/{args['Name']}"}

    def _capabilities(self, _args: dict[str, Any]) -> dict[str, Any]:
        return {"Capabilities": {"Scope": self.scope}}

    def _shown(self, name: str) -> dict[str, Any]:
        return {"Name": name, "Mountpoint": f"/data/{name}", "Status": {"a": 1}}


@contextmanager
def in_place_of(socket: Path) -> Iterator[VolumeDriver]:
    """Answer at a socket in the place of the plugin that listens there."""
    driver = VolumeDriver()
    socket.unlink()
    with PluginServer(socket, driver.answer):
        yield driver
