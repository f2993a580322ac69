"""A registry in a thread, whose blobs come by halves until the test lets them come whole."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from shared.oci.digest import digest_of
from tests.support.faulty_registry import Asked, Behaviour, FaultyRegistry, answer, blob, head_of
from tests.support.plugin_image import FakeImage
from tests.support.pulling_node import serve

T = TypeVar("T")

_PATH = "a/p"
_LIMIT_S = 60.0


class SlowRegistry:
    """One plugin, whose first layer is held back in the middle while the registry is slow."""

    def __init__(self, registry: FaultyRegistry, image: FakeImage) -> None:
        self._loop = asyncio.get_running_loop()
        self._registry = registry
        self._layer = image.layers[0]
        self._layer_path = f"/v2/{_PATH}/blobs/{digest_of(self._layer)}"
        self._is_fast = asyncio.Event()
        #: The plugin's reference.
        self.remote = serve(registry, _PATH, "1", image)
        self.slow_down()

    def slow_down(self) -> None:
        """Hold the layer back."""
        self._is_fast.clear()
        self._registry.asked.clear()
        self._registry.on("GET", self._layer_path, self._by_halves)

    def hurry(self) -> None:
        """Send what was held back, and all else at once."""
        self._call(self._is_fast.set)

    def lose(self) -> None:
        """Know of the layer no more."""
        self._script(answer(404))

    def find_again(self) -> None:
        """Have the layer, and send it at once."""
        self._script(blob(self._layer))

    def wait_asked(self, times: int = 1) -> None:
        """Wait until the layer was asked for so often."""
        deadline = time.monotonic() + _LIMIT_S
        while len(self._registry.to("GET", self._layer_path)) < times:
            assert time.monotonic() < deadline, f"the layer was not asked for {times} times"
            time.sleep(0.01)

    def _script(self, behaviour: Behaviour) -> None:
        self._call(lambda: self._registry.on("GET", self._layer_path, behaviour))

    def _call(self, what: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(what)

    async def _by_halves(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.header("range"):
            await blob(self._layer)(asked, writer)
            return
        half = len(self._layer) // 2
        writer.write(head_of(200, {"Content-Length": str(len(self._layer))}) + self._layer[:half])
        await writer.drain()
        await self._is_fast.wait()
        writer.write(self._layer[half:])


@contextmanager
def slow_registry(image: FakeImage) -> Iterator[SlowRegistry]:
    """Run a slow registry beside the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(_LIMIT_S)

    async def started() -> tuple[FaultyRegistry, SlowRegistry]:
        registry = await FaultyRegistry().__aenter__()
        return registry, SlowRegistry(registry, image)

    try:
        registry, slow = run(started())
        try:
            yield slow
        finally:
            run(registry.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
