"""What a service logs in with at its registry, kept for each node as only that node can open it."""

from __future__ import annotations

from shared.contracts.job import Sealed
from shared.contracts.message import Value


class Credential(Value):
    """A login, sealed to one node for one service."""

    #: The node's public key that it was sealed to, in base64.
    key: str
    sealed: Sealed


def subject(service_id: str) -> str:
    """Return what a service's login is sealed for."""
    return f"service/{service_id}"


def row_key(service_id: str, node: str) -> str:
    """Return the key of its row; a service's rows stand together."""
    return f"{service_id}/{node}"
