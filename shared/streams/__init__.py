"""Streams of bytes between two services of one node: a unix socket, a request, then both ways.

For what is too much, or too lively, for messages: output, terminals. Each side slows the other
down, a half may be ended before the other, and who dies is noticed.
"""

from __future__ import annotations

from shared.streams.client import open_stream
from shared.streams.duplex import Duplex
from shared.streams.server import Incoming, StreamHandler, StreamServer

__all__ = ["Duplex", "Incoming", "StreamHandler", "StreamServer", "open_stream"]
