"""Run the gateway: `python -m services.gateway`."""

from __future__ import annotations

import sys

import uvloop

from services.gateway.bootstrap import serve
from services.gateway.config import GatewayConfig
from shared.node.run import run_service


def main() -> int:
    """Run until told to stop; return the exit status."""
    return run_service("gateway", GatewayConfig.load, serve, uvloop.new_event_loop)


if __name__ == "__main__":
    sys.exit(main())
