"""Services that die between two of their steps: where a test says, by kill -9 of themselves.

A step is a call of an adapter, or a message sent: a service touches the world through nothing
else, which the import rules see to. So the points between steps are complete by construction:
what a new adapter or a new call does is counted without a word about it here.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from shared.node.config import NodeConfig

#: What a service sends over the bus is a step as well.
_SENDING: Final = ("send", "publish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Have *service* die after so many steps, counted from when the order was written."""

    service: str
    after: int
    #: Tells one order from the next.
    number: int

    def to_json(self) -> str:
        """Return it as the file has it."""
        return json.dumps({"service": self.service, "after": self.after, "number": self.number})


class Steps:
    """Counts the steps of the service that this process is."""

    def __init__(self, service: str, exec_root: Path) -> None:
        self._service = service
        self._order = exec_root / "die"
        self._told = exec_root / "died"
        self._number = 0
        self._count = 0

    def watch(self, bootstrap: ModuleType) -> None:
        """Make each call of the adapters that a service is put together of a step."""
        prefix = f"services.{self._service}.adapters."
        for name, found in list(vars(bootstrap).items()):
            if not inspect.isclass(found):
                continue
            if found.__module__.startswith(prefix):
                self._watch(found, [one for one in vars(found) if not one.startswith("_")])
            elif name == "RedisBus":
                self._watch(found, list(_SENDING))

    def _watch(self, adapter: type[Any], names: list[str]) -> None:
        for name in names:
            method, point = vars(adapter)[name], f"{adapter.__name__}.{name}"
            if inspect.iscoroutinefunction(method):
                setattr(adapter, name, self._awaited(point, method))
            elif inspect.isasyncgenfunction(inspect.unwrap(method)):
                setattr(adapter, name, self._entered(point, method))
            elif inspect.isfunction(method):
                setattr(adapter, name, self._called(point, method))

    def _called(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._die_if_due(f"before {name}", is_step=False)
            result = method(*args, **kwargs)
            self._die_if_due(f"after {name}", is_step=True)
            return result

        return stepped

    def _awaited(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        async def stepped(*args: Any, **kwargs: Any) -> Any:
            self._die_if_due(f"before {name}", is_step=False)
            result = await method(*args, **kwargs)
            self._die_if_due(f"after {name}", is_step=True)
            return result

        return stepped

    def _entered(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a context manager: it is entered, and left, in a step each."""
        if inspect.isasyncgenfunction(method):
            return method  # a generator: what it yields is read, and changes nothing

        @functools.wraps(method)
        @asynccontextmanager
        async def stepped(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._die_if_due(f"before {name}", is_step=False)
            async with method(*args, **kwargs) as given:
                self._die_if_due(f"after {name} began", is_step=True)
                yield given
            self._die_if_due(f"after {name} ended", is_step=True)

        return stepped

    def _die_if_due(self, point: str, *, is_step: bool) -> None:
        try:
            order = Order(**json.loads(self._order.read_text()))
        except (FileNotFoundError, ValueError):
            return
        if order.service != self._service:
            return
        if order.number != self._number:
            self._number, self._count = order.number, 0
        if is_step:
            self._count += 1
        # Before the first step there is a point as well. More are counted where a step that had
        # begun before the order ends before the first of those that are meant.
        if self._count >= order.after and (is_step or order.after == 0):
            self._order.unlink(missing_ok=True)
            with self._told.open("a") as told:
                told.write(f"{self._service}: {point}\n")
            os.kill(os.getpid(), signal.SIGKILL)


def main_of(service: str) -> int:
    """Run a service whose steps are counted; return its exit status."""
    bootstrap = importlib.import_module(f"services.{service}.bootstrap")
    Steps(service, NodeConfig.from_env(os.environ).exec_root).watch(bootstrap)
    return int(importlib.import_module(f"services.{service}.__main__").main())
