"""ports.Registries over the registry client."""

from __future__ import annotations

from services.pull import ports
from services.pull.adapters.registry.client import Registry
from services.pull.adapters.registry.credentials import Credentials
from shared import errdefs
from shared.oci.reference import Reference


class ClientRegistries:
    """The registry client, spoken to in Docker's AuthConfigs."""

    def __init__(self, client: Registry) -> None:
        self._client = client

    def repository(
        self,
        ref: Reference,
        *,
        auth: ports.Auth,
        meta_headers: ports.MetaHeaders,
        push: bool = False,
    ) -> ports.Repository:
        """Return the repository that *ref* names; raises InvalidArgument for bad settings."""
        headers = {name: ", ".join(values) for name, values in meta_headers.items()}
        credentials = Credentials.from_auth_config(auth)
        return self._client.repository(ref, credentials=credentials, headers=headers, push=push)

    async def log_in(self, server_address: str, auth: ports.Auth) -> ports.Login:
        """Check credentials; raises Unauthenticated in the registry's words."""
        credentials = Credentials.from_auth_config({**auth, "serveraddress": server_address})
        if credentials is None:
            raise errdefs.Unauthenticated("no user name and password were given: log in with both")
        login = await self._client.login(credentials)
        return ports.Login(status=login.status, identity_token=login.identity_token)
