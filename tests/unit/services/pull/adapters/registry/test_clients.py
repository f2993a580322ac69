"""Clients are kept for the life of the process, and nothing more is."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from services.pull.adapters.registry.clients import Clients
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.settings import Hosts, Limits

_ENDPOINT = Endpoint(scheme="https", authority="r.example.com")


async def test_a_client_goes_with_the_certificates_that_it_was_made_of(tmp_path: Path) -> None:
    """An endpoint keeps its client; where its certificates change, nobody keeps the old one."""
    clients = Clients(limits=Limits(), hosts=Hosts(certificates=tmp_path), env={})
    before = weakref.ref(clients.of(_ENDPOINT))
    assert clients.of(_ENDPOINT) is before()

    (tmp_path / "r.example.com").mkdir()
    (tmp_path / "r.example.com" / "note").touch()
    after = clients.of(_ENDPOINT)
    gc.collect()

    assert before() is None
    assert clients.of(_ENDPOINT) is after
    await clients.aclose()
