"""Bytes from outside, of every kind that is read: understood, or refused as the reader says.

Each reader gets noise, JSON of any shape, and good input with some bytes wrong. WHERRY_EXAMPLES
says how many of each; a few, always the same, where it is not set.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.executor.domain import log_lines, process_table, user
from services.gateway.domain import event_time, filters, form, json_body
from services.gateway.domain.auth_config import AuthConfig
from services.gateway.domain.plugin_filter import PluginFilter
from services.gateway.domain.volume_filter import VolumeFilter, to_prune
from services.pull.adapters.registry import challenge
from services.pull.domain import cosign, trust_policy
from services.pull.domain.plugin_image import parse_config
from services.pull.domain.public_key import PublicKey
from shared import errdefs
from shared.bus import envelope
from shared.contracts.job import JobEnded
from shared.contracts.store import EnablePlugin, PluginChanged
from shared.oci import go_json, layout, manifest, media_types, reference
from shared.oci import settings as plugin_settings
from shared.oci import tar as oci_tar
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest, digest_of
from shared.oci.plugin_config import PluginConfig
from shared.oci.plugin_context import unpack_and_pack
from shared.plugin_rpc import answer
from tests.support.plugin_context import file, folder, special, tar_of

_EXAMPLES: Final = int(os.environ.get("WHERRY_EXAMPLES", "0"))
_USUALLY: Final = 30
_DIGEST: Final = digest_of(b"x")
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Something that reads bytes from outside; what it may raise says so to whoever sent them."""

    read: Callable[[bytes], object]
    good: tuple[bytes, ...]
    raises: tuple[type[Exception], ...] = (errdefs.Error,)


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode(errors="replace"))


def _read_tar(data: bytes) -> list[bytes]:
    reader = oci_tar.TarReader(io.BytesIO(data))
    return [b"".join(map(bytes, reader.chunks())) for _ in reader]


def _unpack(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "in" / "rootfs"
        root.mkdir(parents=True)
        try:
            unpack_and_pack(io.BytesIO(data), rootfs=root, blob=root.parent / "layer")
        finally:
            # Whatever the tar says, nothing lies beside its root.
            assert {path.name for path in Path(place).iterdir()} == {"in"}
            assert {path.name for path in root.parent.iterdir()} <= {"rootfs", "layer"}


def _archive(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file_:
        file_.write(data)
        file_.flush()
        archive = layout.Archive(Path(file_.name))
        try:
            for entry in archive.entries():
                archive.manifest(entry)
        finally:
            archive.close()


_CONFIG = json.dumps(
    {
        "Description": "d",
        "Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "p.sock"},
        "Entrypoint": ["/p"],
        "Env": [{"Name": "A", "Settable": ["value"], "Value": "1"}],
        "Linux": {"Capabilities": ["CAP_SYS_ADMIN"], "Devices": [{"Name": "d", "Path": "/dev/x"}]},
        "Mounts": [{"Name": "m", "Source": "/s", "Destination": "/d", "Type": "bind"}],
        "Network": {"Type": "host"},
        "rootfs": {"type": "layers", "diff_ids": [_DIGEST]},
        "Wherry": {"restart_policy": {"name": "no"}, "requires": ["x"]},
    }
).encode()
_DESCRIPTOR = {"mediaType": "application/x", "digest": _DIGEST, "size": 1}
_MANIFEST = json.dumps(
    {"schemaVersion": 2, "config": _DESCRIPTOR, "layers": [_DESCRIPTOR]}
).encode()
_ENTRY = {
    "mediaType": media_types.OCI_MANIFEST,
    "digest": digest_of(_MANIFEST),
    "size": len(_MANIFEST),
}
_INDEX = json.dumps({"schemaVersion": 2, "manifests": [_ENTRY]}).encode()
_CONTEXT = tar_of(
    folder("rootfs"),
    file("rootfs/p", b"program", mode=0o755),
    special("rootfs/l", b"2", link="p"),
    special("rootfs/h", b"1", link="rootfs/p"),
    file("config.json", _CONFIG),
)
_LAYOUT = tar_of(
    file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    file("index.json", _INDEX),
    file(f"blobs/sha256/{digest_of(_MANIFEST).hex}", _MANIFEST),
)
_BUNDLE = json.dumps({"mediaType": "m", "dsseEnvelope": {"payload": "", "signatures": []}}).encode()
_FIELDS = [b"v", b"1", b"id", b"m", b"type", b"store.plugin.enable.v1", b"at", b"1", b"body", b"{}"]
_ANNOTATED = Descriptor(
    media_type="application/vnd.dev.cosign.simplesigning.v1+json",
    digest=_DIGEST,
    size=1,
    annotations={"dev.cosignproject.cosign/signature": base64.b64encode(b"s").decode()},
)

_READERS: Final[dict[str, Reader]] = {
    "reference": Reader(
        read=_text(reference.parse), good=(b"h:5000/a/b:t", f"a@{_DIGEST}".encode())
    ),
    "digest": Reader(read=_text(Digest), good=(_DIGEST.encode(),)),
    "Go JSON": Reader(read=go_json.decode, good=(_CONFIG,), raises=(go_json.GoJSONError,)),
    "config.json": Reader(
        read=PluginConfig.from_json, good=(_CONFIG,), raises=(go_json.GoJSONError,)
    ),
    "config at a registry": Reader(read=parse_config, good=(_CONFIG,)),
    "manifest and index": Reader(read=manifest.parse, good=(_MANIFEST, _INDEX)),
    "tar": Reader(read=_read_tar, good=(_CONTEXT,)),
    "context": Reader(read=_unpack, good=(_CONTEXT,)),
    "archive": Reader(read=_archive, good=(_LAYOUT,)),
    "setting": Reader(read=_text(plugin_settings.parse), good=(b"a.b=c",)),
    "filters": Reader(
        read=_text(PluginFilter.parse),
        good=(b'{"enabled": {"true": true}}', b'{"capability": ["x"]}'),
    ),
    "filters of volumes": Reader(read=_text(VolumeFilter.parse), good=(b'{"name": ["v"]}',)),
    "filters of prune": Reader(
        read=_text(lambda raw: to_prune(raw, takes_named=True)), good=(b'{"label": ["a=b"]}',)
    ),
    "filters of events": Reader(read=_text(filters.parse), good=(b'{"type": ["plugin"]}',)),
    "since and until": Reader(
        read=_text(lambda raw: event_time.Window.parse(raw, raw)), good=(b"1700000000.5",)
    ),
    "number in a query": Reader(
        read=_text(lambda raw: form.to_int(raw, function="Atoi")), good=(b"-12",)
    ),
    "body of set": Reader(
        read=lambda data: json_body.strings(data, content_type=_JSON, has_length=True),
        good=(b'["A=1"]',),
    ),
    "body of pull": Reader(
        read=lambda data: json_body.privileges(data, content_type=_JSON, has_length=True),
        good=(b'[{"Name": "network", "Description": "", "Value": ["host"]}]',),
    ),
    "body of a volume": Reader(
        read=lambda data: json_body.volume(data, content_type=_JSON, has_length=True),
        good=(b'{"Name": "v", "DriverOpts": {"a": "b"}, "Labels": {}}',),
    ),
    "content type": Reader(
        read=_text(lambda raw: json_body.strings(b"[]", content_type=raw, has_length=True)),
        good=(b'application/json; charset="utf-8"',),
    ),
    "X-Registry-Auth": Reader(
        read=_text(AuthConfig.from_header),
        good=(base64.urlsafe_b64encode(b'{"username": "u", "password": "p"}'),),
    ),
    "body of auth": Reader(read=AuthConfig.from_body, good=(b'{"username": "u"}',)),
    "WWW-Authenticate": Reader(
        read=_text(lambda raw: challenge.parse([raw])),
        good=(b'Bearer realm="https://a/t",service="s"',),
    ),
    "cosign's layer": Reader(
        read=lambda data: cosign.read(_ANNOTATED, data).claim(), good=(_MANIFEST, _BUNDLE)
    ),
    "public key": Reader(
        read=lambda data: PublicKey.from_pem(data, name="k"), good=(b"-----BEGIN PUBLIC KEY-----",)
    ),
    "prefix of a policy": Reader(
        read=_text(trust_policy.normalised_prefix), good=(b"docker.io/library",)
    ),
    "answer of a plugin": Reader(
        read=lambda data: (answer.read("P.Get", 200, data), answer.read_error("P.Get", 500, data)),
        good=(b'{"Err": "no"}', b'{"Volume": {"Name": "v"}}'),
    ),
    "envelope": Reader(
        read=lambda data: envelope.decode(_fields(data)).read(EnablePlugin),
        good=(b"\0".join(_FIELDS),),
        raises=(envelope.UnreadableError, ValidationError),
    ),
    "reply": Reader(
        read=lambda data: envelope.decode_reply(_fields(data)),
        good=(b"ok\x001\x00id\0m\0corr\0c\0node\0n\0body\0{}",),
        raises=(envelope.UnreadableError,),
    ),
    "messages": Reader(
        read=lambda data: [one.model_validate_json(data) for one in (PluginChanged, JobEnded)],
        good=(b'{"epoch": "e", "revision": 1, "plugin_id": "p"}',),
        raises=(ValidationError,),
    ),
    "log line": Reader(
        read=lambda data: (
            log_lines.parse(data),
            list(log_lines.join_partials(data.split(b"\n"))),
        ),
        good=(b"2026-01-02T03:04:05.678901234+00:00 stdout F hello",),
        raises=(),
    ),
    "output of ps": Reader(
        read=_text(lambda text: process_table.parse(text, {1, 2})), good=(b"UID PID CMD\n0 1 init",)
    ),
    "user": Reader(
        read=_text(lambda raw: user.resolve(raw, passwd="a:x:7:8::/:/\n" + raw, group=raw)),
        good=(b"a", b"7:8"),
    ),
}


def _fields(data: bytes) -> envelope.Fields:
    parts = data.split(b"\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """Return good input with some bytes replaced, cut out or put in."""
    at = st.integers(0, len(good))
    change = st.tuples(at, st.integers(0, 8), st.binary(max_size=8))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for position, cut, new in changes:
            data = data[:position] + new + data[position + cut :]
        return data

    return st.lists(change, min_size=1, max_size=4).map(apply)


def _retyped(good: bytes) -> st.SearchStrategy[bytes]:
    """Return good JSON in which one value, wherever it stands, is another."""
    try:
        value = json.loads(good)
    except ValueError:
        return st.nothing()
    places = list(_places(value))
    if not places:
        return st.nothing()
    return st.tuples(st.sampled_from(places), _ANY).map(
        lambda chosen: json.dumps(_put(value, *chosen)).encode("utf-8", "replace")
    )


def _places(value: Any, way: tuple[Any, ...] = ()) -> Any:
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        yield (*way, key)
        yield from _places(child, (*way, key))


def _put(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = _put(copy[way[0]], way[1:], new)
    return copy


_ANY: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["", "\0", "../../x", "9" * 400, 2**70, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.timeout(120 + _EXAMPLES)
def test_whatever_comes_is_understood_or_refused(name: str) -> None:
    """No bytes bring a reader to raise what nobody expects, or to write outside of its place."""
    reader = _READERS[name]
    damaged = [strategy(good) for good in reader.good for strategy in (_damaged, _retyped)]
    noise = st.binary(max_size=600) | _ANY.map(lambda value: json.dumps(value).encode())

    @settings(
        max_examples=_EXAMPLES or _USUALLY,
        derandomize=not _EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.one_of(*damaged, noise))
    def read(data: bytes) -> None:
        with contextlib.suppress(*reader.raises):
            reader.read(data)

    read()


@pytest.mark.parametrize("name", _READERS)
def test_good_input_is_no_noise(name: str) -> None:
    """What each reader's damage begins from is understood, or close to it: never a fault."""
    reader = _READERS[name]
    for good in reader.good:
        try:
            reader.read(good)
        except (errdefs.Error, ValidationError, envelope.UnreadableError):
            assert name in ("cosign's layer", "public key", "envelope", "messages")
