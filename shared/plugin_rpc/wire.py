"""Requests to a plugin at one endpoint."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

from shared import errdefs
from shared.plugin_rpc import answer, transport
from shared.plugin_rpc.endpoint import Endpoint
from shared.telemetry import context

#: What Docker sends; some plugins look at it.
ACCEPT: Final = "application/vnd.docker.plugins.v1.2+json"
_HEADERS: Final = {"Accept": ACCEPT, "Accept-Encoding": "identity", "User-Agent": "wherry"}


class Wire:
    """Posts methods and reads answers, once each and without a deadline: those are the caller's.

    httpx's transports without its client, whose URLs, cookies and redirects would cost as much as
    the call itself.
    """

    def __init__(self, endpoint: Endpoint, medium: httpx.AsyncBaseTransport | None = None) -> None:
        """Take the endpoint; raises InvalidArgument when its TLS files can't be read."""
        self.endpoint = endpoint
        self._medium = medium or transport.make(endpoint)
        self._urls: dict[str, httpx.URL] = {}
        self._under_way = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def exchange(self, method: str, body: bytes, limit: int) -> dict[str, Any]:
        """Call a method and read its answer of at most *limit* bytes.

        Raises RemoteError for what the plugin answered, httpx.TransportError when nothing did,
        InvalidArgument for an address that is none.
        """
        self._under_way += 1
        self._is_idle.clear()
        try:
            response = await self._medium.handle_async_request(self._request(method, body))
            try:
                said = await _read(method, response, limit)
            finally:
                await response.aclose()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._is_idle.set()
        if response.status_code != httpx.codes.OK:
            raise answer.read_error(method, response.status_code, said)
        return answer.read(method, response.status_code, said)

    def _request(self, method: str, body: bytes) -> httpx.Request:
        headers = {**_HEADERS, **context.carrier()}
        try:
            return httpx.Request("POST", self._url(method), headers=headers, content=body)
        except (httpx.InvalidURL, UnicodeError) as error:
            # The address is a person's, and a host that looks like one need not be any.
            raise errdefs.InvalidArgument(
                f"{method}: plugin {self.endpoint.name} cannot be called at "
                f"{self.endpoint.address!r}: {error}: mend its address",
                docker_unclassed=True,
            ) from error

    def _url(self, method: str) -> httpx.URL:
        url = self._urls.get(method)
        if url is None:
            url = self._urls[method] = httpx.URL(f"{self.endpoint.url}/{method}")
        return url

    async def close(self) -> None:
        """Close the connections once the calls under way have ended."""
        await self._is_idle.wait()
        await self._medium.aclose()


async def _read(method: str, response: httpx.Response, limit: int) -> bytes:
    said = bytearray()
    async for piece in response.aiter_raw():
        said += piece
        if len(said) > limit:
            raise answer.RemoteError(
                method, f"the answer has more than {limit} bytes", status=response.status_code
            )
    return bytes(said)
