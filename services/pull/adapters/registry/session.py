"""Requests of one operation to one endpoint: authenticated, redirected, repeated, traced."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import structlog

from services.pull.adapters.registry import challenge, faults, tracing
from services.pull.adapters.registry.authorizer import Authorizer
from services.pull.adapters.registry.call import Answer, Attempts, Call, Contact
from services.pull.adapters.registry.endpoints import Endpoint
from services.pull.adapters.registry.redirects import BadRedirect, is_same_origin, next_hop
from services.pull.adapters.registry.retry import Retry
from services.pull.adapters.registry.settings import Limits
from services.pull.adapters.registry.tokens import AccessRefused
from shared import errdefs

log = structlog.get_logger()

Sleep = Callable[[float], Awaitable[None]]
#: One for a registry that asks who we are, one for a token of ours that it has withdrawn.
_CHALLENGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An endpoint as one operation sees it."""

    endpoint: Endpoint
    client: httpx.AsyncClient
    authorizer: Authorizer
    retry: Retry
    sleep: Sleep
    #: Words the error for a request that no login of ours opens.
    denied: Callable[[AccessRefused], errdefs.Error]
    #: X-Meta-* headers of the caller, sent with everything that goes to the registry itself.
    meta: Mapping[str, str] = field(default_factory=dict)
    contact: Contact = field(default_factory=Contact)

    @property
    def host(self) -> str:
        """Return the endpoint's ``host[:port]``."""
        return self.endpoint.authority

    @property
    def limits(self) -> Limits:
        """Return the limits of the exchange."""
        return self.retry.limits

    async def expect(self, call: Call, *statuses: int, limit: int | None = None) -> Answer:
        """Send *call*; raise the error that a status other than *statuses* stands for."""
        answer = await self.send(call, limit=limit)
        if answer.status not in statuses:
            raise self.refused(answer.status, answer.body, call)
        return answer

    async def send(self, call: Call, *, limit: int | None = None) -> Answer:
        """Send *call* and read its answer, whatever its status but 401, up to *limit* bytes.

        Raises Unauthenticated for a 401 that no login of ours answers, Unavailable where nothing
        whole came back in all attempts, InvalidArgument for an answer beyond *limit*.
        """
        attempts = Attempts()
        while True:
            try:
                async with self.opened(call, attempts) as response:
                    return await self._whole(response, call, limit)
            except httpx.TransportError as error:
                await self.again(error, attempts, call)

    async def send_once(self, call: Call) -> Answer:
        """Send *call*, of which a second copy would do harm; lets httpx.TransportError through."""
        async with self._authenticated(call, 1) as response:
            return await self._whole(response, call, None)

    @asynccontextmanager
    async def opened(self, call: Call, attempts: Attempts) -> AsyncGenerator[httpx.Response, None]:
        """Send *call* until the registry has settled on an answer; its body is still to be read.

        Lets httpx.TransportError through, from here as from reading: ``again`` says what next.
        Raises Unauthenticated as ``send`` does.
        """
        while True:
            async with self._authenticated(call, attempts.number) as response:
                pause_s = self.retry.after_answer(
                    attempts.number, response.status_code, response.headers
                )
                if pause_s is None:
                    yield response
                    return
                await self._finish(response)
            await self._wait(pause_s, f"status {response.status_code}", attempts, call)

    async def again(self, error: httpx.TransportError, attempts: Attempts, call: Call) -> None:
        """Wait for the next attempt; raises Unavailable where there is none."""
        pause_s = self.retry.after_fault(attempts.number, error, was_reached=self.contact.was_made)
        if pause_s is None:
            raise self._broken(error, call) from error
        await self._wait(pause_s, type(error).__name__, attempts, call)

    def _broken(self, error: httpx.TransportError, call: Call) -> errdefs.Error:
        fault = faults.of_transport(error, what=call.what, host=self.host)
        # It may be the place that it sent us on to which can't be reached.
        fault.detail["is_unreached"] &= not self.contact.was_made
        return fault

    @asynccontextmanager
    async def _authenticated(
        self, call: Call, attempt: int
    ) -> AsyncGenerator[httpx.Response, None]:
        """Send *call*, with the login that the registry asks for."""
        for challenges in itertools.count():
            async with self._followed(call, attempt) as response:
                if response.status_code != 401 or not self._is_ours(response.request.url):
                    yield response
                    return
                await self._authenticate(response, challenges)
                await self._finish(response)

    async def is_worth_waiting(self, answer: Answer, attempts: Attempts, call: Call) -> bool:
        """Wait for the next attempt after a transient *answer*; say False where there is none."""
        pause_s = self.retry.after_answer(attempts.number, answer.status, answer.headers)
        if pause_s is None:
            return False
        await self._wait(pause_s, f"status {answer.status}", attempts, call)
        return True

    async def _wait(self, pause_s: float, why: str, attempts: Attempts, call: Call) -> None:
        log.warning(
            "registry request repeated",
            registry=self.host,
            method=call.method,
            what=call.what,
            why=why,
            attempt=attempts.number,
            pause_s=round(pause_s, 3),
        )
        tracing.note_repeat(why, attempts.number)
        await self.sleep(pause_s)
        attempts.number += 1

    def refused(self, status: int, body: bytes, call: Call) -> errdefs.Error:
        """Return the error for an answer to *call* that is not the one wished for."""
        return faults.of_status(status, body, what=call.what, host=self.host)

    async def error_body(self, response: httpx.Response) -> bytes:
        """Read as much of a refusal as an error tells of."""
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) >= self.limits.error_bytes:
                break
        return bytes(body[: self.limits.error_bytes])

    async def _whole(self, response: httpx.Response, call: Call, limit: int | None) -> Answer:
        if response.is_success:
            body = await self._read(response, call, limit or self.limits.answer_bytes)
        else:
            body = await self.error_body(response)
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            url=response.request.url,
        )

    async def _read(self, response: httpx.Response, call: Call, limit: int) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > limit:
                raise errdefs.InvalidArgument(
                    f"{call.what}: registry {self.host} answers with more than {limit} bytes: "
                    "tell its owner",
                    detail={"registry": self.host, "status": response.status_code},
                )
        return bytes(body)

    @asynccontextmanager
    async def _followed(self, call: Call, attempt: int) -> AsyncGenerator[httpx.Response, None]:
        """Send *call* and go where it is sent on to."""
        url = self._url(call)
        for _ in range(self.limits.redirects + 1):
            request = await self._request(call, url)
            with tracing.requesting(request, resend_count=attempt - 1) as span:
                response = await self.client.send(request, stream=True, follow_redirects=False)
                self.contact.was_made = True
                tracing.note_status(span, response.status_code)
                try:
                    following = next_hop(response)
                    if following is None:
                        yield response
                        return
                    await self._finish(response)
                finally:
                    await response.aclose()
            url = following
        raise BadRedirect(f"redirected more than {self.limits.redirects} times")

    async def _request(self, call: Call, url: httpx.URL) -> httpx.Request:
        headers = list(call.headers)
        if self._is_ours(url):  # neither login nor X-Meta goes anywhere else
            headers += self.meta.items()
            if authorization := await self._authorization():
                headers.append(("Authorization", authorization))
        content = call.content() if callable(call.content) else call.content
        return self.client.build_request(call.method, url, headers=headers, content=content)

    async def _authorization(self) -> str:
        try:
            return await self.authorizer.header()
        except AccessRefused as error:
            raise self.denied(error) from error

    async def _authenticate(self, response: httpx.Response, challenges: int) -> None:
        """Get ready for the next try; raises Unauthenticated where there is none."""
        try:
            if challenges < _CHALLENGES and await self.authorizer.challenged(response):
                return
        except AccessRefused as error:
            raise self.denied(error) from error
        asked = challenge.parse(response.headers.get_list("WWW-Authenticate"))
        said = next((one.parameters["error"] for one in asked if "error" in one.parameters), "")
        reason = f"server message: {said}: authorization failed" if said else "authorization failed"
        raise self.denied(AccessRefused(reason, status=401))

    async def _finish(self, response: httpx.Response) -> None:
        """Read what is left of a short answer, so that its connection can be used again."""
        with contextlib.suppress(httpx.TransportError):  # then it just can't
            await self.error_body(response)

    def _url(self, call: Call) -> httpx.URL:
        return httpx.URL(self.endpoint.url).join(call.url)

    def _is_ours(self, url: httpx.URL) -> bool:
        return is_same_origin(url, httpx.URL(self.endpoint.url))
