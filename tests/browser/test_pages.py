"""What a person sees and does in a browser, on a real node."""

from __future__ import annotations

import pytest

from tests.support.console import ConsolePages
from tests.support.node import eventually
from tests.support.plugin_context import ANSWERS, Contexts

_CRASHES = (*ANSWERS, "stderr=panic: no disk", "delay=300", "exit=3")


def _id(pages: ConsolePages, name: str) -> str:
    return str(pages.node.plugin(name)["plugin_id"])[:12]


def test_an_enable_is_watched(pages: ConsolePages, contexts: Contexts) -> None:
    """A plugin comes into the list, starts and runs, while the page is never loaded anew."""
    pages.open_live("/ui/plugins")
    pages.mark()
    pages.node.create("a/slow:latest", contexts.tar("term=0", "delay=1500", *ANSWERS[1:]))
    pages.browser.wait_for_text("a/slow:latest", "#rows")
    pages.browser.wait_for_text("disabled", "#rows")
    row = f"#p-{_id(pages, 'a/slow:latest')}"
    with pages.node.begin_docker("plugin", "enable", "a/slow:latest"):
        pages.browser.wait_for_text("starting", row)
        pages.browser.wait_for_text("running", row)
    assert pages.is_marked


def test_buttons(pages: ConsolePages, contexts: Contexts) -> None:
    """A plugin is enabled, disabled after a question, refused and removed, by its buttons."""
    pages.node.create("a/plugin:latest", contexts.tar())
    pages.open_live(f"/ui/plugins/{_id(pages, 'a/plugin:latest')}")
    pages.mark()
    pages.browser.click(".actions .primary")
    pages.browser.wait_for_text("a/plugin:latest is enabled.", "#notices")
    pages.browser.wait_for_text("running", "#head")
    pages.node.http.post(
        "/wherry/v1/plugins/a/plugin:latest/references",
        json={"owner": "user/me", "capability": "dummy", "ttl_s": 60},
    ).raise_for_status()
    pages.browser.wait_for_text("user/me", "#references")
    pages.browser.click(".confirm summary")
    pages.browser.click(".confirm[open] .danger")
    pages.browser.wait_for_text("is in use", "#notices")
    assert pages.node.plugin("a/plugin:latest")["enabled"]
    pages.browser.click(".confirm[open] [name=force]")
    pages.browser.click(".confirm[open] .danger")
    pages.browser.wait_for_text("disabled", "#head .state")
    assert pages.is_marked
    pages.browser.click(".confirm:last-child summary")
    pages.browser.click(".confirm[open] [name=force]")
    pages.browser.click(".confirm[open] .danger")
    eventually(lambda: pages.browser.driver.current_url.endswith("/ui/plugins"), "it led away")
    assert pages.node.get("/plugins") == []


def test_a_setting(pages: ConsolePages, contexts: Contexts) -> None:
    """A setting is changed in the page and shown at once; a wrong one says what is wrong."""
    env = [{"name": "DEBUG", "description": "", "settable": ["value"], "value": "0"}]
    pages.node.create("a/plugin:latest", contexts.tar(env=env))
    pages.open_live(f"/ui/plugins/{_id(pages, 'a/plugin:latest')}")
    pages.browser.wait_for_text("DEBUG=0", "#status")
    pages.browser.click(".inline summary")
    pages.browser.find("[name=key]").send_keys("DEBUG")
    pages.browser.find("[name=value]").send_keys("1")
    pages.browser.click(".set button")
    pages.browser.wait_for_text("DEBUG=1", "#status")
    pages.browser.find("[name=key]").send_keys("X")
    pages.browser.click(".set button")
    pages.browser.wait_for_text('setting "X" not found', "#notices .bad")


def test_a_crash_is_seen(pages: ConsolePages, contexts: Contexts) -> None:
    """A plugin that dies again and again says so, with its last words and its next start."""
    pages.node.create("a/crash:latest", contexts.tar(*_CRASHES))
    pages.node.enable("a/crash:latest")
    pages.open_live(f"/ui/plugins/{_id(pages, 'a/crash:latest')}")
    pages.browser.wait_for_text("restarting", "#head")
    pages.browser.wait_for_text("exit code 3", ".alert")
    pages.browser.wait_for_text("panic: no disk", ".alert")
    pages.browser.wait_for_text("runs in a row did not last", ".alert")
    pages.browser.wait_for_text("next start", ".alert")
    pages.open_live("/ui/")
    pages.browser.wait_for_text("a/crash:latest", "#troubled")
    pages.browser.wait_for_text("die", "#news")


def test_logs_are_followed(pages: ConsolePages, contexts: Contexts) -> None:
    """Output appears as it is written, over a restart, once, and the view stays at its end."""
    talks = ("term=0", "print_slow=300", "stderr=<b>said</b>", *ANSWERS[1:])
    pages.node.create("a/chatty:latest", contexts.tar(*talks))
    pages.node.enable("a/chatty:latest")
    pages.open_live(f"/ui/plugins/{_id(pages, 'a/chatty:latest')}/logs")
    pages.browser.wait_for_text("<b>said</b>", "#entries li:last-child")
    assert len(pages.browser.all("#entries .stdout")) == 300
    pages.mark()
    pages.node.disable("a/chatty:latest")
    pages.node.enable("a/chatty:latest")
    pages.browser.wait_for_text("<b>said</b>", "#entries li:last-child")
    eventually(lambda: len(pages.browser.all("#entries .stderr")) == 2, "the second run said it")
    assert len(pages.browser.all("#entries .stdout")) == 600
    assert "-2 started" in pages.browser.text("#entries .mark")
    eventually(
        lambda: pages.browser.script(
            "const log = document.getElementById('entries');"
            "return log.scrollHeight - log.scrollTop - log.clientHeight < 48"
        ),
        "the end is to be seen",
    )
    assert pages.is_marked


def test_events_are_filtered(pages: ConsolePages, contexts: Contexts) -> None:
    """A filter shows what fits of what was and of what comes, and its address can be kept."""
    for name in ("a/one:latest", "a/two:latest"):
        pages.node.create(name, contexts.tar())
    pages.open_live("/ui/events")
    pages.browser.wait_for_text("a/two:latest", "#entries")
    pages.browser.find("[name=actor]").send_keys("a/one")
    eventually(lambda: "a/two" not in pages.browser.text("#entries"), "the other is gone")
    eventually(lambda: "actor=a%2Fone" in pages.browser.driver.current_url, "the address says it")
    pages.browser.wait_for_text("live", "#live")
    pages.node.enable("a/two:latest")
    pages.node.enable("a/one:latest")
    pages.browser.wait_for_text("enable", "#entries tr:first-child")
    assert "a/two" not in pages.browser.text("#entries")
    pages.open(pages.browser.driver.current_url.removeprefix(pages.origin))
    assert "a/two" not in pages.browser.text("#entries")
    pages.open("/ui/events?type=volume")
    assert "a/one" not in pages.browser.text("#entries")


def test_goes_on_where_it_broke_off(pages: ConsolePages, contexts: Contexts) -> None:
    """A gateway that is killed leaves the page as it is; what happened meanwhile comes, once."""
    pages.node.create("a/plugin:latest", contexts.tar())
    pages.open_live("/ui/events?actor=a/plugin")
    pages.mark()
    pages.node.kill("gateway")
    pages.browser.wait_for_text("reconnecting", "#live")
    pages.node.wait_healthy()
    pages.node.enable("a/plugin:latest")
    pages.browser.wait_for_text("live", "#live")
    pages.browser.wait_for_text("enable", "#entries")
    pages.node.disable("a/plugin:latest")
    told = [f"e-{e['seq']}" for e in pages.node.feed() if "a/plugin" in str(e["attributes"])]
    ids = "return [...document.querySelectorAll('#entries tr')].map(r => r.id)"
    eventually(lambda: pages.browser.script(ids) == told[::-1], "all are there, each once")
    assert pages.is_marked
    pages.open_live(f"/ui/plugins/{_id(pages, 'a/plugin:latest')}")
    read_token = "return document.querySelector('#head [name=token]').value"
    old = pages.browser.script(read_token)
    pages.node.kill("gateway")
    pages.browser.wait_for_text("reconnecting", "#live")
    pages.node.wait_healthy()
    pages.browser.wait_for_text("live", "#live")
    renewed = "forms were given a token of the new gateway by the page itself"
    eventually(lambda: pages.browser.script(read_token) not in ("", old), renewed)
    pages.browser.click(".actions .primary")
    pages.browser.wait_for_text("running", "#head")


def test_without_scripts(pages: ConsolePages, contexts: Contexts) -> None:
    """With scripts off all pages read, filters filter, and buttons do what they say."""
    pages.node.create("a/plugin:latest", contexts.tar("print=2", *ANSWERS))
    pages.browser.run_scripts(wished=False)
    try:
        pages.open("/ui/plugins")
        assert "UTC" in pages.browser.text() or "not running" in pages.browser.text()
        pages.browser.find("[name=text]").send_keys("plugin")
        pages.browser.click(".filter button")
        pages.browser.click("#rows a")
        pages.browser.click(".actions .primary")
        pages.browser.wait_for_text("running", "#head")
        pages.browser.click(".tabs a:nth-child(2)")
        pages.browser.wait_for_text("line 2", "#entries")
        pages.browser.click(".tabs a:nth-child(3)")
        pages.browser.wait_for_text("enable", "#entries")
        for path in ("/ui/", "/ui/events", "/ui/node"):
            pages.open(path)
            assert len(pages.browser.text()) > 100
        pages.open("/ui/plugins")
        pages.browser.click("#rows a")
        pages.browser.click(".confirm summary")
        pages.browser.click(".confirm[open] .danger")
        pages.browser.wait_for_text("disabled", "#head")
    finally:
        pages.browser.run_scripts(wished=True)


def test_keys(pages: ConsolePages, contexts: Contexts) -> None:
    """Without a pointer: search, rows, pages, pause, help, and the way out of a question."""
    for letter in "ab":
        pages.node.create(f"{letter}/plugin:latest", contexts.tar())
    pages.open_live("/ui/plugins")
    focused = "return document.activeElement.getAttribute('name') ?? document.activeElement.text"
    pages.browser.press("/")
    assert pages.browser.script(focused) == "text"
    pages.browser.press("TAB", "TAB", "TAB", "TAB")
    pages.browser.press("j", "j", "k")
    assert pages.browser.script(focused) == "a/plugin:latest"
    pages.browser.press(".")
    pages.browser.wait_for_text("paused", "#live")
    pages.browser.press(".")
    pages.browser.wait_for_text("live", "#live")
    pages.browser.press("?")
    assert pages.browser.find("#keys").is_displayed()
    pages.browser.press("ESCAPE")
    pages.browser.press("j", "ENTER")
    pages.browser.wait_for_text("plugin:latest", "h1")
    pages.browser.press("g", "e")
    pages.browser.wait_for_text("Events", "h1")


def test_theme(pages: ConsolePages) -> None:
    """A theme that is chosen stays, whatever the system prefers."""
    background = "return getComputedStyle(document.body).backgroundColor"
    pages.open("/ui/node")
    light = pages.browser.script(background)
    pages.browser.click(".theme button")
    eventually(lambda: pages.browser.script(background) != light, "it is dark")
    pages.open("/ui/events")
    assert pages.browser.script(background) != light
    pages.browser.click(".theme button")
    pages.browser.prefer("dark")
    eventually(lambda: pages.browser.script(background) == light, "it is light")
    pages.browser.click(".theme button")
    eventually(lambda: pages.browser.script(background) != light, "it is as the system")


@pytest.fixture
def scene(pages: ConsolePages, contexts: Contexts) -> ConsolePages:
    """Give a node on which there is something of everything to see."""
    volumes = {"interface": {"types": ["docker.volumedriver/1.0"], "socket": "p.sock"}}
    make, enable = pages.node.create, pages.node.enable
    make("acme/nfs:2.1", contexts.tar("print=40", "stderr=slow server", *ANSWERS, **volumes))
    make("acme/crashing:0.3", contexts.tar(*_CRASHES))
    for number in range(12):
        make(f"lab/driver-{number}:latest", contexts.tar(**volumes))
    for name in ("acme/nfs:2.1", "acme/crashing:0.3", "lab/driver-0:latest", "lab/driver-1:latest"):
        enable(name)
    pages.node.http.put(
        "/wherry/v1/plugins/lab/driver-1:latest/health",
        json={"test": ["CALL", "VolumeDriver.Get"], "interval_s": 1, "retries": 1},
    ).raise_for_status()
    eventually(
        lambda: pages.node.status("lab/driver-1:latest")["health"] == "unhealthy", "it is unhealthy"
    )
    return pages


@pytest.mark.timeout(400)
def test_accessible(scene: ConsolePages) -> None:
    """On every page, in both themes and widths, axe finds nothing serious; nothing overflows."""
    nfs = f"/ui/plugins/{_id(scene, 'acme/nfs:2.1')}"
    crashing = f"/ui/plugins/{_id(scene, 'acme/crashing:0.3')}"
    traces = scene.node.get("/wherry/v1/traces")["traces"]
    trace = next(one for one in traces if one["name"].endswith("/enable"))
    paths = ["/ui/", "/ui/plugins", nfs, crashing, f"{nfs}/logs", f"{nfs}/events", f"{nfs}/traces"]
    paths += ["/ui/events", "/ui/traces", f"/ui/traces/{trace['trace_id']}", "/ui/node"]
    for path in [*paths, "/ui/upgrades", "/ui/upgrades/new", "/ui/nowhere"]:
        assert scene.flaws(path) == []
    scene.browser.complaints()
