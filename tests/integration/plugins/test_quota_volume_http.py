"""The sample volume plugin's HTTP: many connections, odd requests, garbage, and its end."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from contextlib import ExitStack

import pytest

from tests.support.quota_volume import Plugin

pytestmark = pytest.mark.root

LIST = b"POST /VolumeDriver.List HTTP/1.1\r\nHost: plugin\r\n"
CREATE = b"POST /VolumeDriver.Create HTTP/1.1\r\nHost: plugin\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def connect(plugin: Plugin) -> socket.socket:
    """Return a new connection."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(plugin.socket))
    connection.settimeout(5)
    return connection


def exchange(plugin: Plugin, *parts: bytes) -> bytes:
    """Send bytes, in several pieces if given so, half-close, and return all that comes back."""
    answer = b""
    with connect(plugin) as connection:
        with contextlib.suppress(ConnectionError):  # a refusal may come before all is sent
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while received := connection.recv(65536):
                answer += received
    return answer


def test_activate_names_the_driver(plugin: Plugin) -> None:
    """The handshake of unmanaged plugins is answered as well."""
    with plugin.client() as client:
        answer = client.post("/Plugin.Activate")

    assert answer.json() == {"Implements": ["VolumeDriver"]}
    assert answer.headers["content-type"] == "application/vnd.docker.plugins.v1.2+json"


def test_capabilities_are_local(plugin: Plugin) -> None:
    """A volume exists on one host."""
    assert plugin.call("Capabilities")["Capabilities"] == {"Scope": "local"}


def test_a_connection_serves_many_requests(plugin: Plugin) -> None:
    """A connection stays open, and requests sent in one go are answered in their order."""
    name = b'{"Name":"data"}'
    create = CREATE + b"Content-Length: %d\r\n\r\n" % len(name) + name

    answer = exchange(plugin, create + LIST + b"\r\n" + b"\r\n" + LIST + b"\r\n")

    assert answer.count(OK) == 3
    assert answer.count(b'"Name":"data"') == 2


def test_a_chunked_body_arrives_byte_by_byte(plugin: Plugin) -> None:
    """Chunks of any size, with extensions and trailers, make up one body."""
    request = (
        CREATE + b"Transfer-Encoding: chunked\r\n\r\n"
        b'9;a=b\r\n{"Name":"\r\n' + b'6\r\ndata"}\r\n' + b"0\r\nTrailer: x\r\n\r\n"
    )

    answer = exchange(plugin, *(bytes([byte]) for byte in request))

    assert answer.startswith(OK)
    assert [volume["Name"] for volume in plugin.call("List")["Volumes"]] == ["data"]


@pytest.mark.parametrize(
    "request_", [LIST + b"Connection: close\r\n\r\n", LIST.replace(b"1.1", b"1.0") + b"\r\n"]
)
def test_a_connection_is_closed_when_asked(plugin: Plugin, request_: bytes) -> None:
    """The connection ends after the answer when the header or HTTP/1.0 says so."""
    answer = exchange(plugin, request_ + LIST + b"\r\n")

    assert answer.count(OK) == 1
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}x",
        b"[1]",
        b'"a"',
        b'{"Name":1}',
        b'{"ID":[]}',
        b'{"Name":"a\\u0000b"}',
        b'{"Name":"\\ud800"}',
        b'{"Name":"\xff"}',
        b'{"Name" "a"}',
        b'{"a":1,}',
        b"[" * 40,
        b"\0",
        b"nul",
    ],
)
def test_a_body_that_is_no_object_is_refused(plugin: Plugin, body: bytes) -> None:
    """What is not a JSON object of the right kind gets 400 and a text that says so."""
    with plugin.client() as client:
        answer = client.post("/VolumeDriver.Create", content=body)

    assert answer.status_code == 400
    assert answer.json()["Err"].startswith("the body ")


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b' {"x": [1.5e3, true, null]} '])
def test_a_body_without_arguments_is_allowed(plugin: Plugin, body: bytes) -> None:
    """Methods without arguments take no body, null, or any object."""
    with plugin.client() as client:
        assert client.post("/VolumeDriver.List", content=body).json()["Err"] == ""


def test_strings_are_unescaped_and_keys_are_found_in_any_case(plugin: Plugin) -> None:
    """Names may be written with escapes, and keys as Go's decoder takes them."""
    with plugin.client() as client:
        answer = client.post("/VolumeDriver.Get", content=b'{"name":"\\ud83d\\ude00\\n\\"\\/"}')
        created = client.post("/VolumeDriver.Mount", content='{"NAME":"é","id":"1"}'.encode())
        client.post("/VolumeDriver.Create", content=b'{"nAME":"\\u0061b"}')

    assert answer.json() == {"Volume": None, "Err": ""}
    assert created.json()["Err"].startswith('volume name "é" is not allowed')
    assert plugin.call("List")["Volumes"][0]["Name"] == "ab"


def test_unknown_paths_and_methods(plugin: Plugin) -> None:
    """Only the protocol's methods exist, and they are posted to."""
    with plugin.client() as client:
        assert client.post("/VolumeDriver.Snapshot").status_code == 404
        assert client.get("/" + "a" * 500).status_code == 404
        wrong = client.get("/VolumeDriver.List")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert client.post("/VolumeDriver.List?x=1").status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /VolumeDriver.List HTTP/2.0\r\n\r\n", 400),
        (b"POST /VolumeDriver.List HTTP/1.1 x\r\n\r\n", 400),
        (LIST + b"no colon\r\n\r\n", 400),
        (LIST + b" folded: x\r\n\r\n", 400),
        (LIST + b"Content-Length: -1\r\n\r\n", 400),
        (LIST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (LIST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (LIST + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (LIST + b"Content-Length: 65537\r\n\r\n", 413),
        (LIST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 413),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 300, 400),
        (LIST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 4000, 431),
        (LIST + b"X: " + b"a" * 20000, 431),
        (b"\0" * 20000, 431),
        (LIST + b"X: \0\r\n\r\n", 400),
    ],
)
def test_requests_that_cannot_be_served(plugin: Plugin, request_: bytes, status: int) -> None:
    """A broken or oversized request gets its status, and the connection is closed."""
    answer = exchange(plugin, request_)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert plugin.error("List") == ""


def test_garbage_does_no_harm(plugin: Plugin) -> None:
    """Random bytes and requests with random bytes in them leave the plugin at work."""
    chance = random.Random(7)
    body = b'{"Name":"data","Opts":{"size":"1m"}}'
    good = CREATE + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(300):
        exchange(plugin, chance.randbytes(chance.randrange(1, 400)))
        spoilt = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        exchange(plugin, bytes(spoilt))

    assert plugin.process.poll() is None
    assert plugin.error("List") == ""


def test_fifty_connections_at_once(plugin: Plugin) -> None:
    """Connections that all have half a request under way are all answered."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(plugin)) for _ in range(50)]
        for number, connection in enumerate(connections):
            body = b'{"Name":"v%02d"}' % number
            connection.sendall(CREATE + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        for number, connection in enumerate(connections):
            connection.sendall((b'{"Name":"v%02d"}' % number)[5:])
        answers = [connection.recv(65536) for connection in connections]

    assert all(answer.startswith(OK) for answer in answers)
    assert len(plugin.call("List")["Volumes"]) == 50


def test_idle_connections_give_way(plugin: Plugin) -> None:
    """Beyond the limit the connection unused for longest is closed for the new one."""
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(plugin)) for _ in range(300)]

        assert plugin.error("List") == ""
        assert idle[0].recv(1) == b""
        idle[-1].sendall(LIST + b"\r\n")
        assert idle[-1].recv(65536).startswith(OK)


def test_a_caller_that_does_not_read_blocks_nobody(plugin: Plugin) -> None:
    """Answers nobody takes are held back, others are served meanwhile, and none is lost."""
    wanted = 5000
    with connect(plugin) as deaf:
        deaf.setblocking(False)
        requests = (LIST + b"\r\n") * wanted
        sent = deaf.send(requests)
        assert plugin.error("List") == ""
        deaf.settimeout(5)
        whole = sent // len(LIST + b"\r\n")
        received = b""
        while received.count(OK) < whole:
            received += deaf.recv(65536)


def test_sigterm_ends_it_at_once(plugin: Plugin) -> None:
    """The end waits for no open connection, and takes the socket away."""
    with connect(plugin):
        started = time.monotonic()
        assert plugin.terminate() == 0

    assert time.monotonic() - started < 5
    assert not plugin.socket.exists()
