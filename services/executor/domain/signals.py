"""Signal names as people write them."""

from __future__ import annotations

import signal

from shared import errdefs


def number_of(name: str) -> signal.Signals:
    """Return the signal for `SIGTERM`, `term` or `15`; raises InvalidArgument for no signal."""
    text = name.strip().upper()
    try:
        if text.isdecimal():
            return signal.Signals(int(text))
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
    except (ValueError, KeyError) as error:
        raise errdefs.InvalidArgument(
            f"signal {name!r} is unknown; give a name such as SIGTERM, or a number"
        ) from error
