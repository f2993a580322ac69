"""Children forked from a parent that has already imported what they share."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from shared import errdefs
from shared.node.lean import import_lean
from shared.node.lock import FORKED

log = structlog.get_logger()

#: Most of what a service's start would spend its time and memory on.
_SHARED = (
    "opentelemetry.sdk.trace",
    "celery.app.amqp",
    "kombu.transport.redis",
    "redis.asyncio",
    "shared.bus.progress",
    "shared.bus.redis_bus",
    "shared.bus.relay",
    "shared.idempotency.outcomes",
    "shared.jobs.queue",
    "shared.node.database",
    "shared.node.run",
    "shared.oci.manifest",
    "shared.oci.settings_merge",
    "shared.oci.tar",
    "shared.oci.unpack",
    "shared.plugin_rpc.endpoint",
    "shared.sealing",
    "shared.sqlite",
    "shared.streams.server",
    "shared.tasks.background",
    "shared.tasks.lanes",
    "shared.telemetry.recent",
    "shared.telemetry.sampling",
    "shared.telemetry.span_ids",
    "structlog",
)


@functools.cache
def import_what_services_share() -> None:
    """Import it once, and keep the collector from ever touching, and so copying, its pages."""
    began = time.monotonic()
    gc.disable()  # it would go through all that was imported, again and again, and find nothing
    for module in _SHARED:
        import_lean(module)
    contracts = import_lean("shared.contracts")
    for found in pkgutil.iter_modules(contracts.__path__, "shared.contracts."):
        importlib.import_module(found.name)
    gc.freeze()
    gc.enable()
    log.info("imported", seconds=round(time.monotonic() - began, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkedService:
    """ports.Unit: a service in a child of this process."""

    name: str
    #: Its main() runs the service and returns the exit status.
    module: str

    def start(self, failures: int) -> int:
        """Fork a child that runs the service and return its pid; raises OSError."""
        # Before the first fork and no earlier: Redis, which starts before, loads meanwhile.
        import_what_services_share()
        return fork(lambda: int(import_lean(self.module).main()))


def fork(run: Callable[[], int]) -> int:
    """Run *run* in a child with a session of its own and return its pid; raises OSError.

    The child's exit status is what *run* returns. It has default signals and no descriptor of
    ours but standard output and error.
    """
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork takes along no other thread"
    _flush()
    # Until the child has handlers of its own, a signal for it would get lost in ours.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(run)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _be_child(run: Callable[[], int]) -> None:
    """Run and exit; never returns, for the stack below is the parent's."""
    status = 1
    try:
        os.setsid()
        _let_go_of_signals()
        _let_go_of_descriptors()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.environ[FORKED] = "1"
        status = run()
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except errdefs.Error as error:
        print(f"wherry: {error.message}", file=sys.stderr)  # noqa: T201 - for a person
    except BaseException:  # noqa: BLE001 - whatever it is, it must not reach the parent's loop
        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)


def _let_go_of_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _let_go_of_descriptors() -> None:
    """Close all but standard output and error: the parent's lock must die with the parent.

    The Python objects around them stay as they are: the parent's frames, which are below ours
    for as long as we live, keep them from being collected and so from closing a second time.
    """
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
