"""A client of registries: OCI distribution 1.1 and Docker's registry v2, over httpx.

Read it from the top: ``client`` (Registry, the front door) → ``repository`` (one repository over
its endpoints) → ``manifests``, ``blobs``, ``uploads``, ``referrers``, ``pages`` (what the protocol
asks) → ``session`` (one request: login, redirects, retries) → ``transport`` (connections). Beside
them: ``endpoints`` (whom to ask), ``credentials``, ``challenge``, ``authorizer``, ``tokens`` (who
we are), ``certs`` (whom we trust), ``retry`` and ``faults`` (what to do when it fails).
"""

from __future__ import annotations
