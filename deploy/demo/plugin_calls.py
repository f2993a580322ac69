"""Calls into the plugin's own socket, past Wherry."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx

_LIMIT_S = 5.0


class PluginCallError(Exception):
    """The plugin answered with an error, or not at all."""


class VolumePlugin:
    """A volume plugin behind its socket."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://plugin",
            timeout=_LIMIT_S,
        )

    def __enter__(self) -> Self:
        """Use it until the end of the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up."""
        self._client.close()

    def call(self, method: str, **arguments: object) -> dict[str, Any]:
        """Call a method of VolumeDriver and return its answer; raises PluginCallError."""
        try:
            response = self._client.post(f"/VolumeDriver.{method}", json=arguments)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PluginCallError(f"VolumeDriver.{method}: {error}") from error
        if answer.get("Err"):
            raise PluginCallError(f"VolumeDriver.{method}: {answer['Err']}")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often a plugin was called, and how that went."""

    answers: int = 0
    failures: int = 0
    #: The longest that an answer took.
    slowest_ms: float = 0.0
    last_failure: str = ""


class Questioner:
    """Asks a plugin for a volume every 20 ms, in a thread of its own, and counts."""

    _PAUSE_S = 0.02

    def __init__(self, socket: Path, volume: str) -> None:
        self._socket = socket
        self._volume = volume
        self._stop = threading.Event()
        self._answered = threading.Condition()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self.tally = Tally()

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join()

    def wait_for(self, answers: int, *, within_s: float) -> bool:
        """Wait until the plugin has answered so often; return whether it did in time."""
        with self._answered:
            return self._answered.wait_for(lambda: self.tally.answers >= answers, within_s)

    def _ask_on(self) -> None:
        with VolumePlugin(self._socket) as plugin:
            while not self._stop.wait(self._PAUSE_S):
                tally = self._ask(plugin)
                with self._answered:
                    self.tally = tally
                    self._answered.notify_all()

    def _ask(self, plugin: VolumePlugin) -> Tally:
        began_s = time.monotonic()
        before = self.tally
        try:
            plugin.call("Get", Name=self._volume)
        except PluginCallError as error:
            return replace(before, failures=before.failures + 1, last_failure=str(error))
        took_ms = (time.monotonic() - began_s) * 1000
        return replace(
            before, answers=before.answers + 1, slowest_ms=max(before.slowest_ms, took_ms)
        )
