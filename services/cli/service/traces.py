"""Traces at the node, asked for until they are whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.cli.domain.trace import Answered, ShownTrace
from services.cli.ports import Api
from shared import errdefs

#: Services write spans down a moment after they have ended.
_SETTLED_S: Final = 0.3
_LIMIT_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRun:
    """Shows what a request of ours did."""

    api: Api
    sleep: Callable[[float], None] = time.sleep

    def show(self, answered: Answered) -> ShownTrace:
        """Return a request's trace once nothing is added to it; raises Unavailable without one."""
        if not answered.trace_id:
            raise errdefs.Unavailable(
                "the node records no traces: it was started with OTEL_SDK_DISABLED=true or with "
                "WHERRY_TRACE_BYTES=0"
            )
        known, waited_s = -1, 0.0
        while True:
            self.sleep(_SETTLED_S)
            waited_s += _SETTLED_S
            found = self._find(answered.trace_id)
            count = len(found.trace.spans) if found else 0
            if found and (waited_s >= _LIMIT_S or (found.trace.is_whole and count == known)):
                return found
            if waited_s >= _LIMIT_S:
                raise errdefs.Unavailable(
                    f"trace {answered.trace_id} is not kept on the node: look where its traces "
                    "are sent, or see what WHERRY_TRACE_BYTES says"
                )
            known = count

    def _find(self, trace_id: str) -> ShownTrace | None:
        try:
            return self.api.trace(trace_id)
        except errdefs.NotFound:
            return None
