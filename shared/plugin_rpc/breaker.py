"""A breaker: after some failures in a row nobody calls for a while, then one call tries."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared import errdefs


class BreakerOpen(Exception):
    """The plugin failed too often in a row; *retry_in_s* says when it is tried again."""

    def __init__(self, failures: int, retry_in_s: float) -> None:
        super().__init__(f"{failures} failures in a row")
        self.failures = failures
        self.retry_in_s = retry_in_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a breaker opens, and for how long."""

    #: Failures in a row.
    threshold: int = 5
    #: Doubled each time the call that tries fails as well.
    pause_s: float = 5.0
    longest_pause_s: float = 60.0


class Breaker:
    """Counts failures in a row: nobody answered, or not in time. An error answered is none."""

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._failures = 0
        #: When a call may try; None while closed.
        self._open_until: float | None = None
        self._pause_s = settings.pause_s
        self._is_tried = False

    @property
    def retry_in_s(self) -> float | None:
        """Return how long calls are refused, 0 when one may try; None while closed."""
        if self._open_until is None:
            return None
        return max(0.0, self._open_until - self._clock())

    def check(self) -> None:
        """Raise BreakerOpen when a call would be refused now."""
        wait_s = self.retry_in_s
        if wait_s is not None and (wait_s > 0 or self._is_tried):
            raise BreakerOpen(self._failures, wait_s)

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Let a call through and judge it by how the block ends; raises BreakerOpen.

        Unavailable and DeadlineExceeded are failures; a cancelled call says nothing.
        """
        self.check()
        tries = self._open_until is not None
        self._is_tried = self._is_tried or tries
        try:
            yield
        except (errdefs.Unavailable, errdefs.DeadlineExceeded):
            self._fail(tries=tries)
            raise
        except Exception:
            self.reset()
            raise
        else:
            self.reset()
        finally:
            if tries:
                self._is_tried = False

    def reset(self) -> None:
        """Forget all: what is called from now on is another process."""
        self._failures = 0
        self._open_until = None
        self._pause_s = self._settings.pause_s

    def _fail(self, *, tries: bool) -> None:
        self._failures += 1
        if tries:
            self._pause_s = min(self._pause_s * 2, self._settings.longest_pause_s)
        elif self._open_until is not None or self._failures < self._settings.threshold:
            return  # it began before the breaker opened, or may be chance
        self._open_until = self._clock() + self._pause_s
