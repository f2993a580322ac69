"""Logins of services at their registries, kept for each node as only that node can open them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog

from services.controller import ports
from services.controller.domain import credential
from services.controller.domain.credential import Credential
from services.controller.domain.row import Entry, Kind, Unit
from services.controller.service.catalog import Catalog
from services.controller.service.nodes import Nodes
from shared import errdefs
from shared.contracts.job import Sealed
from shared.contracts.node import Node

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Opened only for the moment in which they are sealed to somebody else."""

    catalog: Catalog
    nodes: Nodes
    vault: ports.Vault
    #: Our node, whose key we have.
    node: str

    def kept(self, service_id: str, sealed: Sealed) -> tuple[Entry, ...]:
        """Return the rows of a login that was sealed to us: one for each node.

        Raises InvalidArgument when it was sealed to another.
        """
        secret = self.vault.open(sealed, credential.subject(service_id))
        nodes = (node for node in self.nodes.all() if node.seal_key)
        return tuple(self._sealed(service_id, nodes, secret))

    def forgotten(self, service_id: str) -> tuple[Entry, ...]:
        """Return the rows of a service's login, gone."""
        prefix = credential.row_key(service_id, "")
        mine = (key for key in self.catalog.keys(Kind.CREDENTIAL) if key.startswith(prefix))
        return tuple(Entry(kind=Kind.CREDENTIAL, key=key, body=None) for key in mine)

    async def spread(self, service_id: str) -> None:
        """Seal a service's login to the nodes that have come, or have another key, since."""
        new = [
            node
            for node in self.nodes.all()
            if node.seal_key and not self._has(service_id, node.name, node.seal_key)
        ]
        ours = self._get(service_id, self.node)
        if ours is None or not new:
            return
        try:
            secret = self.vault.open(ours.sealed, credential.subject(service_id))
        except errdefs.InvalidArgument as error:
            log.warning("login not spread", service_id=service_id, reason=error.message)
            return
        if entries := tuple(self._sealed(service_id, new, secret)):
            await self.catalog.commit(Unit(entries=entries))

    def for_job(self, service_id: str, node: str, job_id: str) -> Sealed | None:
        """Return a service's login for a job of a node; None: it has none, or not for us.

        Raises InvalidArgument when ours cannot be opened, Unavailable when the node has no key.
        """
        ours = self._get(service_id, self.node)
        if ours is None:
            return None
        secret = self.vault.open(ours.sealed, credential.subject(service_id))
        key = self.nodes.require(node).seal_key
        if not key:
            raise errdefs.Unavailable(f"node {node} has no key yet that a login could be sealed to")
        return self.vault.seal(key, secret, job_id)

    def _sealed(self, service_id: str, nodes: Iterable[Node], secret: bytes) -> Iterator[Entry]:
        """Yield the rows of a login; a node whose key is none keeps no other from its own."""
        for node in nodes:
            try:
                entry = self._entry(service_id, node.name, node.seal_key, secret)
            except errdefs.InvalidArgument as error:
                log.warning("login not spread", node=node.name, reason=error.message)
            else:
                yield entry

    def _entry(self, service_id: str, node: str, key: str, secret: bytes) -> Entry:
        sealed = self.vault.seal(key, secret, credential.subject(service_id))
        return Entry(
            kind=Kind.CREDENTIAL,
            key=credential.row_key(service_id, node),
            body=Credential(key=key, sealed=sealed),
        )

    def _get(self, service_id: str, node: str) -> Credential | None:
        return self.catalog.get(Kind.CREDENTIAL, credential.row_key(service_id, node), Credential)

    def _has(self, service_id: str, node: str, key: str) -> bool:
        kept = self._get(service_id, node)
        return kept is not None and kept.key == key
