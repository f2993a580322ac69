"""Calls over real sockets."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared import errdefs
from shared.plugin_rpc.client import PluginClient
from shared.plugin_rpc.endpoint import Endpoint, Tls, parse
from tests.support import tls
from tests.support.plugin_server import PluginServer


def _echo(method: str, args: dict[str, Any]) -> tuple[int, Any]:
    return (500, {"Err": args["Err"]}) if args.get("Err") else (200, args)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough to bind in; pytest's is not."""
    with tempfile.TemporaryDirectory(prefix="pr-", dir="/tmp") as name:
        yield Path(name)


@asynccontextmanager
async def _calling(endpoint: Endpoint) -> AsyncIterator[PluginClient]:
    client = PluginClient(endpoint)
    try:
        yield client
    finally:
        await client.close()


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _at(path: Path, *, is_confined: bool = True) -> Endpoint:
    return Endpoint(name="p", address=f"unix://{path}", is_confined=is_confined)


async def test_i03_echo(folder: Path) -> None:
    """What is sent arrives, what is answered comes back, and the host is Docker's."""
    with PluginServer(folder / "p.sock", _echo) as server:
        async with _calling(_at(folder / "p.sock")) as client:
            assert await client.call("Test.Echo", {"Name": "v"}, deadline_s=5) == {"Name": "v"}
            assert await client.call("Test.Echo", deadline_s=5) == {}
            with pytest.raises(errdefs.Error, match=r"^Test\.Echo: no space$"):
                await client.call("Test.Echo", {"Err": "no space"}, deadline_s=5)
    assert server.calls[0].headers["Host"] == "plugin.moby.localhost"
    assert server.calls[1].headers["Content-Length"] == "0"


async def test_paths_longer_than_the_kernel_s(folder: Path) -> None:
    """A socket is reached however long its path on the host is."""
    deep = folder / ("d" * 100)
    deep.mkdir()
    with PluginServer(folder / "p.sock", _echo):
        (folder / "p.sock").rename(deep / "p.sock")
        async with _calling(_at(deep / "p.sock")) as client:
            assert await client.call("Test.Echo", {"a": 1}, deadline_s=5) == {"a": 1}


async def test_a_plugin_s_link_is_not_followed(folder: Path) -> None:
    """A link that a plugin puts in place of its socket leads nowhere; an operator's does."""
    (folder / "link.sock").symlink_to(folder / "p.sock")
    with PluginServer(folder / "p.sock", _echo) as server:
        async with _calling(_at(folder / "link.sock")) as client:
            with pytest.raises(errdefs.Unavailable, match=r"connect: Connection refused$"):
                await client.call("Test.Echo", deadline_s=1)
        assert server.calls == []
        async with _calling(_at(folder / "link.sock", is_confined=False)) as client:
            assert await client.call("Test.Echo", deadline_s=5) == {}


@pytest.mark.parametrize(
    ("kind", "text"), [("none", "No such file"), ("file", "refused"), ("dead", "refused")]
)
async def test_i01_failed_connection(folder: Path, kind: str, text: str) -> None:
    """A socket that is not there, is none, or has no listener is an error that says so."""
    path = folder / "p.sock"
    if kind == "file":
        path.write_text("")
    elif kind == "dead":
        PluginServer(path, _echo).server_close()
    descriptors = _descriptors()
    async with _calling(_at(path)) as client:
        with pytest.raises(errdefs.Unavailable, match=text):
            await client.call("Service.Method", deadline_s=1)
    assert _descriptors() == descriptors


async def test_a_plugin_that_starts_late_is_reached(folder: Path) -> None:
    """A call that finds nobody is sent again after Docker's first pause."""
    pauses: list[float] = []
    with contextlib.ExitStack() as stack:

        async def start_meanwhile(pause_s: float) -> None:
            pauses.append(pause_s)
            stack.enter_context(PluginServer(folder / "p.sock", _echo))

        client = PluginClient(_at(folder / "p.sock"), sleep=start_meanwhile)
        assert await client.call("Test.Echo", {"a": 1}, deadline_s=10) == {"a": 1}
        await client.close()
    assert pauses == [1.0]


async def test_i07_a_plugin_that_hangs(folder: Path) -> None:
    """A plugin that takes a call and says nothing is given up at the deadline."""
    release = threading.Event()

    def hang(method: str, args: dict[str, Any]) -> tuple[int, Any]:
        release.wait(10)
        return 200, {}

    with PluginServer(folder / "p.sock", hang):
        async with _calling(_at(folder / "p.sock")) as client:
            began = time.monotonic()
            with pytest.raises(errdefs.DeadlineExceeded):
                await client.call("Plugin.Hello", deadline_s=0.1)
            assert time.monotonic() - began < 8
        release.set()


async def test_tcp() -> None:
    """A plugin on TCP is called by its own host name."""
    with PluginServer(None, _echo) as server:
        async with _calling(parse("p", f"tcp://127.0.0.1:{server.port}")) as client:
            assert await client.call("Test.Echo", {"a": 1}, deadline_s=5) == {"a": 1}
        assert server.calls[0].headers["Host"] == f"127.0.0.1:{server.port}"


async def test_tls(tmp_path: Path) -> None:
    """A plugin over TLS is verified by the authority of its file, and sees our certificate."""
    authority = tls.make_authority(tmp_path)
    served = tls.issue(tmp_path, authority, "plugin")
    ours = tls.issue(tmp_path, authority, "engine")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.load_cert_chain(served.certificate, served.key)
    context.verify_mode = ssl.CERT_REQUIRED
    files = Tls(
        ca_file=str(authority.certificate), cert_file=str(ours.certificate), key_file=str(ours.key)
    )
    with PluginServer(None, _echo, tls=context) as server:
        address = f"https://127.0.0.1:{server.port}"
        async with _calling(parse("p", address, files)) as client:
            assert await client.call("Test.Echo", {"a": 1}, deadline_s=5) == {"a": 1}
        async with _calling(parse("p", address)) as client:
            with pytest.raises(errdefs.Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.call("Test.Echo", deadline_s=1)


def test_tls_files_that_are_wrong() -> None:
    """Files that can't be read are named before anything is called."""
    with pytest.raises(errdefs.InvalidArgument, match=r"TLS files of plugin p .*CAFile=/none"):
        PluginClient(parse("p", "https://127.0.0.1:1", Tls(ca_file="/none")))
