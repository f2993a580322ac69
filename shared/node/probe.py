"""Whether one service of this node is well: `python -m shared.node.probe [--alive] store`.

With `--alive` it need not have its Redis: it is enough that it answers.

For health checks of containers, which run often: nothing but the standard library is imported.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

_LIMIT_S = 5.0
#: A sample of shared.bus.metrics, whose label is the service.
_CONNECTION = "wherry_bus_up{"


def main() -> int:
    """Return 0 when the service answers on its socket and has its Redis; say what is wrong."""
    exec_root = Path(os.environ.get("WHERRY_EXEC_ROOT") or "/run/wherry")
    *options, service = sys.argv[1:]
    path = exec_root / "metrics" / f"{service}.sock"
    complaint = complaint_of(path, needs_redis="--alive" not in options)
    print(complaint or "well")  # noqa: T201 - for whoever looks at the health check
    return 1 if complaint else 0


def complaint_of(path: Path, *, needs_redis: bool = True) -> str:
    """Return what is wrong with the service that shows its metrics there; empty: nothing."""
    try:
        text = _read(path)
    except OSError as error:
        return f"no answer at {path}: {error.strerror or error}"
    if not needs_redis:
        return ""
    told = [line for line in text.splitlines() if line.startswith(_CONNECTION)]
    return "" if any(line.endswith(" 1.0") for line in told) else "it has no connection to Redis"


def _read(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_LIMIT_S)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.1\r\nhost: probe\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
