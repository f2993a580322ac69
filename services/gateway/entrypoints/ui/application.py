"""The console as an ASGI application: its routes, its headers, its errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from markupsafe import Markup

from services.gateway.entrypoints.errors import wherry_status
from services.gateway.entrypoints.exchange import send_answer
from services.gateway.entrypoints.http import (
    Handler,
    Headers,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Stream,
)
from services.gateway.entrypoints.router import Route, Router
from services.gateway.entrypoints.ui import guard, static_files
from services.gateway.entrypoints.ui.actions import Form
from services.gateway.entrypoints.ui.guard import Guard, Visit
from services.gateway.entrypoints.ui.page import Done, Page
from services.gateway.entrypoints.ui.render import render
from shared import errdefs

_HTML: Final = b"text/html; charset=utf-8"
_NOT_FOUND: Final = errdefs.NotFound("page not found")
#: Nothing is loaded from elsewhere, nothing written in a page is run, nobody frames it.
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types wherry"
)
_SAFE: Final[Headers] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
#: A script of ours sent the form, and shows what is answered where the person is.
_NOTICE: Final = b"wherry-notice"

PageHandler = Callable[[Request, Visit], Awaitable[Page | Response | Stream]]
FormHandler = Callable[[Request, Form], Awaitable[Done | Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is around every page."""

    node: str
    version: str


class Console:
    """Serves pages below /ui/."""

    def __init__(
        self,
        *,
        frame: Frame,
        pages: Mapping[str, PageHandler],
        forms: Mapping[str, FormHandler],
    ) -> None:
        """Take the handlers by the templates of their paths."""
        self._frame = frame
        self._guard = Guard()
        self._router = Router(
            (
                Route(method="GET", template="/ui", handler=_to_first_page),
                Route(method="GET", template="/ui/static/{digest}/{name}", handler=_static),
                Route(method="POST", template="/ui/theme", handler=self._form(_set_theme)),
                *(Route(method="GET", template=p, handler=self._page(h)) for p, h in pages.items()),
                *(
                    Route(method="POST", template=p, handler=self._form(h))
                    for p, h in forms.items()
                ),
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = await self._answer(scope, receive)
        await send_answer(_secured(answer), receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | Stream:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        match = self._router.find(method, scope["path"])
        request = Request(scope, receive, match.params if match else {})
        try:
            if match is None:
                raise _NOT_FOUND
            scope["route"] = match.route
            return await match.route.handler(request)
        except errdefs.Error as error:
            return self._refusal(request, error)

    def _page(self, handler: PageHandler) -> Handler:
        async def serve(request: Request) -> Response | Stream:
            visit = self._guard.visit(request)
            answer = await handler(request, visit)
            return self._rendered(request, visit, answer) if isinstance(answer, Page) else answer

        return serve

    def _form(self, handler: FormHandler) -> Handler:
        async def serve(request: Request) -> Response | Stream:
            visit = self._guard.visit(request)
            body = await request.body()
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            self._guard.check_form(request, visit, form.get("token", ""))
            done = await handler(request, form)
            return _outcome(request, done) if isinstance(done, Done) else done

        return serve

    def _rendered(self, request: Request, visit: Visit, page: Page) -> Response:
        around: dict[str, Any] = {"page": page, "frame": self._frame, "visit": visit}
        body = render(page.template, around | {"path": _here(request)} | dict(page.values))
        return Response(
            status=page.status,
            body=body.encode(),
            content_type=_HTML,
            headers=(
                _NO_STORE,
                (b"vary", b"accept, cookie"),
                *visit.cookies(is_encrypted=guard.is_encrypted(request.scope)),
            ),
        )

    def _refusal(self, request: Request, error: errdefs.Error) -> Response:
        status = wherry_status(error)
        if request.header(_NOTICE) is not None:
            return _notice(error.message, "bad", status)
        page = Page(
            title="Not found" if status == 404 else "That did not work",
            template="error.html",
            values={"message": error.message, "code": status},
            status=status,
        )
        return self._rendered(request, guard.stranger(request), page)


async def _to_first_page(_request: Request) -> Response:
    return Response(status=308, headers=((b"location", b"/ui/"),))


async def _static(request: Request) -> Response:
    return static_files.answer(request.params["digest"], request.params["name"])


async def _set_theme(request: Request, form: Form) -> Response:
    theme = form.get("theme", "")
    if theme not in {"", "light", "dark"}:
        raise errdefs.InvalidArgument(f"theme {theme} is neither light nor dark")
    encrypted = guard.is_encrypted(request.scope)
    back = (b"location", _local(form.get("back", "")).encode())
    return Response(status=303, headers=(back, guard.theme_cookie(theme, is_encrypted=encrypted)))


def _outcome(request: Request, done: Done) -> Response:
    if request.header(_NOTICE) is not None:
        return _notice(done.said, "good", 200, back=done.back)
    return Response(status=303, headers=((b"location", done.back.encode()), _NO_STORE))


def _notice(said: str, tone: str, status: int, *, back: str = "") -> Response:
    html = Markup('<p class="notice {}" data-back="{}">{}</p>').format(tone, back, said)
    return Response(status=status, body=html.encode(), content_type=_HTML, headers=(_NO_STORE,))


def _secured(answer: Response | Stream) -> Response | Stream:
    if isinstance(answer, Stream):
        return Stream(
            chunks=answer.chunks,
            content_type=answer.content_type,
            headers=(*_SAFE, *answer.headers),
            abandoned=answer.abandoned,
        )
    return Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        headers=(*_SAFE, *answer.headers),
    )


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])


def _local(address: str) -> str:
    """Return an address of ours to go back to, whatever a form says."""
    parts = urlsplit(address)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/ui/")
    return parts._replace(fragment="").geturl() if is_ours else "/ui/"
