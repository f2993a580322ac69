"""The server that a registry names for tokens: asked over its own connections."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import httpx

from services.pull.adapters.registry import faults, tracing
from services.pull.adapters.registry.clients import Clients
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.retry import Retry
from services.pull.adapters.registry.session import Sleep
from services.pull.adapters.registry.settings import Hosts
from shared import errdefs


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenServer:
    """Sends token requests; a redirect is an answer like others, so that no login is carried on."""

    clients: Clients
    hosts: Hosts
    retry: Retry
    sleep: Sleep

    async def ask(self, request: httpx.Request) -> tuple[int, bytes]:
        """Return status and body; raises Unavailable where none comes back in all attempts."""
        for attempt in itertools.count(1):
            try:
                status, body, pause = await self._once(request, attempt)
            except httpx.TransportError as error:
                # By its registry, that is: the address is right.
                pause = self.retry.after_fault(attempt, error, was_reached=True)
                if pause is None:
                    raise _unheard(error, request) from error
            else:
                if pause is None:
                    return status, body
            await self.sleep(pause)
        raise AssertionError("counting never ends")

    async def _once(self, request: httpx.Request, attempt: int) -> tuple[int, bytes, float | None]:
        client = self._client(request.url)
        again = client.build_request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        with tracing.requesting(again, resend_count=attempt - 1) as span:
            response = await client.send(again, stream=True, follow_redirects=False)
            try:
                tracing.note_status(span, response.status_code)
                body = await self._read(response)
            finally:
                await response.aclose()
        status = response.status_code
        return status, body, self.retry.after_answer(attempt, status, response.headers)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self.retry.limits.answer_bytes:
                raise errdefs.InvalidArgument(
                    f"token server {response.request.url.host} answers with more than "
                    f"{self.retry.limits.answer_bytes} bytes: tell its owner"
                )
        return bytes(body)

    def _client(self, url: httpx.URL) -> httpx.AsyncClient:
        authority = url.netloc.decode()
        return self.clients.of(
            Endpoint(
                scheme=url.scheme,
                authority=authority,
                is_insecure=self.hosts.is_insecure(authority),
            )
        )


def _unheard(error: httpx.TransportError, request: httpx.Request) -> errdefs.Error:
    fault = faults.of_transport(error, what="token", host=request.url.netloc.decode())
    # The registry itself was reached: it is no reason to ask that again in the clear.
    fault.detail["is_unreached"] = False
    return fault
