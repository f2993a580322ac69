"""What a person does in the console, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from shared import errdefs
from shared.contracts.job import CancelJob, Job, JobKind, JobReply, JobState
from shared.contracts.store import DisablePlugin, EnablePlugin, RemovePlugin, SetPlugin
from tests.support.gateway import changed, plugin, reply
from tests.unit.services.gateway.entrypoints.ui.conftest import Console

_PAGE = "/ui/plugins/aaaaaaaaaaaa"
_NAME = "a/plugin:latest"


@pytest.mark.parametrize(
    ("verb", "form", "command"),
    [
        pytest.param("enable", {}, EnablePlugin(name=_NAME), id="enable"),
        pytest.param("disable", {}, DisablePlugin(name=_NAME), id="disable"),
        pytest.param(
            "disable", {"force": "1"}, DisablePlugin(name=_NAME, force=True), id="disable, forced"
        ),
        pytest.param("remove", {}, RemovePlugin(name=_NAME), id="remove"),
        pytest.param(
            "set",
            {"key": "DEBUG", "value": "a=b"},
            SetPlugin(name=_NAME, args=("DEBUG=a=b",)),
            id="set",
        ),
    ],
)
async def test_verbs(console: Console, verb: str, form: dict[str, str], command: Any) -> None:
    """A form is the command it stands for, and leads back to a page."""
    console.world.sender.answers[type(command)] = reply(changed(5, plugin("a")))
    token = await console.token()
    console.world.sender.calls.clear()
    done = await console.post(f"{_PAGE}/{verb}", token=token, **form)
    assert done.status_code == 303, done.text
    assert done.headers["location"] == ("/ui/plugins" if verb == "remove" else _PAGE)
    assert console.world.sender.sent == [command]


async def test_cancel(console: Console) -> None:
    """A job is cancelled by its id."""
    job = Job(
        job_id="j1",
        kind=JobKind.PULL,
        state=JobState.RUNNING,
        name="n",
        remote="r",
        created_at_ns=1,
    )
    console.world.sender.answers[CancelJob] = JobReply(job=job)
    done = await console.post("/ui/jobs/j1/cancel", token=await console.token())
    assert done.status_code == 303
    assert CancelJob(job_id="j1") in console.world.sender.sent


async def test_refusal(console: Console) -> None:
    """What the API refuses is told with its words: as a page, or to our script as a notice."""
    console.world.sender.answers[EnablePlugin] = errdefs.Conflict("plugin a is <enabled>")
    token = await console.token()
    page = await console.post(f"{_PAGE}/enable", token=token)
    assert page.status_code == 409
    assert "plugin a is &lt;enabled&gt;" in page.text
    headers = {"origin": "http://localhost", "wherry-notice": "1"}
    notice = await console.http.post(f"{_PAGE}/enable", data={"token": token}, headers=headers)
    assert notice.status_code == 409
    assert notice.text.startswith('<p class="notice bad"')


async def test_notice(console: Console) -> None:
    """Our script is told what was done, and where to go."""
    console.world.sender.answers[EnablePlugin] = reply(changed(5, plugin("a", enabled=True)))
    headers = {"origin": "http://localhost", "wherry-notice": "1"}
    form = {"token": await console.token()}
    notice = await console.http.post(f"{_PAGE}/enable", data=form, headers=headers)
    assert notice.status_code == 200
    assert f'data-back="{_PAGE}"' in notice.text


async def _forged(console: Console, headers: dict[str, str], **form: str) -> int:
    before = len(console.world.sender.calls)
    answer = await console.http.post(f"{_PAGE}/enable", data={"a": "b"} | form, headers=headers)
    assert len(console.world.sender.calls) == before, "nothing was sent"
    return answer.status_code


async def test_forged(console: Console) -> None:
    """A form of another site, without its token or with another's, does nothing."""
    token = await console.token()
    ours = {"origin": "http://localhost"}
    assert await _forged(console, ours) == 403
    assert await _forged(console, ours, token="0" * 64) == 403
    assert await _forged(console, {"origin": "http://evil.example"}, token=token) == 403
    assert await _forged(console, {"origin": "null"}, token=token) == 403
    cross = ours | {"sec-fetch-site": "cross-site"}
    assert await _forged(console, cross, token=token) == 403
    assert await _forged(console, {}, token=token) == 403, "from nobody knows where"
    console.http.cookies.clear()
    assert await _forged(console, ours, token=token) == 403, "of another session"


async def test_no_form(console: Console) -> None:
    """What is no form is refused: other sites can send none but forms and texts without asking."""
    headers = {"origin": "http://localhost", "content-type": "text/plain"}
    answer = await console.http.post(f"{_PAGE}/enable", content=b"token=x", headers=headers)
    assert answer.status_code == 400
    assert (await console.http.get(f"{_PAGE}/enable")).status_code == 404


async def test_host(console: Console) -> None:
    """On plain TCP only names of the loopback address are answered to."""
    for host in ("evil.example", "evil.example:2375", "127.0.0.1.evil.example", "[::1"):
        assert (await console.http.get("/ui/plugins", headers={"host": host})).status_code == 403
    for host in ("127.0.0.1:2375", "[::1]:2375", "localhost"):
        assert (await console.http.get("/ui/plugins", headers={"host": host})).status_code == 200


async def test_session(console: Console) -> None:
    """A browser is given one session, that no script and no other site can use."""
    first = await console.http.get("/ui/plugins")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("wherry-session=")
    assert cookie.endswith("; Path=/ui; HttpOnly; SameSite=Strict")
    assert "set-cookie" not in (await console.http.get("/ui/plugins")).headers


async def test_theme(console: Console) -> None:
    """A theme that is chosen holds from the next page on; the way back is one of ours."""
    token = await console.token()
    done = await console.post("/ui/theme", token=token, theme="dark", back="/ui/plugins?text=a")
    assert (done.status_code, done.headers["location"]) == (303, "/ui/plugins?text=a")
    assert 'data-theme="dark"' in (await console.http.get("/ui/plugins")).text
    for back in ("//evil.example/ui/", "https://evil.example/ui/", "/wherry/v1", "javascript:x"):
        done = await console.post("/ui/theme", token=token, theme="", back=back)
        assert done.headers["location"] == "/ui/"
    assert (await console.post("/ui/theme", token=token, theme="pink")).status_code == 400
