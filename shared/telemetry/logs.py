"""Structured logs on standard error: pretty on a terminal, JSON otherwise."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

#: dockerd's words, which are ours as well.
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}


def set_up_logs(
    service: str, env: Mapping[str, str] | None = None, *, node: str | None = None
) -> None:
    """Send this process's log lines to standard error, each with its service and trace ids.

    WHERRY_LOG_LEVEL of *env* says which: debug, info, warn or error. Called again, as soon as the
    node's name is known, each line has that, too.
    """
    level = _LEVELS.get((env or os.environ).get("WHERRY_LOG_LEVEL", ""), logging.INFO)
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _named(service, node),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_ids,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_to(sys.stderr),
        # Not cached: lines that were written before the node had a name would never have it.
        cache_logger_on_first_use=node is not None,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


class LossyLogger(structlog.WriteLogger):
    """Writes lines; one that can't be written is lost, and the next one that can says so.

    The log may lie on the disk that has just become full: nobody may end, or leave work undone,
    because a line about it does not fit.
    """

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self._lost = 0

    def msg(self, message: str) -> None:
        """Write a line."""
        lines = [message]
        if self._lost:
            told = {"event": "log lines lost", "level": "warning", "lost": self._lost}
            lines.insert(0, json.dumps(told))
        try:
            for line in lines:
                super().msg(line)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    debug = info = warning = error = critical = exception = msg


def _to(file: TextIO) -> Callable[..., LossyLogger]:
    logger = LossyLogger(file)  # one for all names: it counts
    return lambda *_names: logger


def _named(service: str, node: str | None) -> Processor:
    # Not by a context variable: threads that others start begin without any.
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> EventDict:
        event.setdefault("service", service)
        if node is not None:
            event.setdefault("node", node)
        return event

    return add


def _trace_ids(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
