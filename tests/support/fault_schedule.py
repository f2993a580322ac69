"""A pull's whole bad luck as one value: what the registry does, and what befalls the worker."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import zstandard

from shared.oci import media_types
from shared.oci.digest import digest_of
from tests.support.faulty_registry import Asked, FaultyRegistry, answer, redirect
from tests.support.plugin_image import CONFIG, FakeImage, tar
from tests.support.registry_faults import (
    LOOP,
    TOKEN,
    Fault,
    Resource,
    answer_well,
    answer_wrongly,
)

#: Repositories of the first pull and of the second.
PATHS: Final = ("a/p", "b/q")
#: Layers that there are to choose from: three small ones and three of about a megabyte.
LAYERS: Final = 6
MOST_LAYERS: Final = 4
#: What a fault can hit at a repository: the answers of a pull, in its order.
ANSWERS: Final = ("token", "resolve", "manifest", "config", *map(str, range(MOST_LAYERS)))

_TYPES: Final = (media_types.OCI_LAYER, media_types.OCI_LAYER_GZIP, media_types.OCI_LAYER_ZSTD)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that befalls a pull at one of its steps.

    *kind* is "cancel"; "stop": the worker ends and another one takes the job; "late": another
    one takes it while the worker, which was silent for too long, still works; "lost": the answer
    of the store to this step is lost.
    """

    kind: str
    step: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that happens; *faults* are by repository and answer, attempt by attempt."""

    layers: tuple[int, ...]
    #: Layers of a second plugin that is pulled at the same time; none: it is not.
    second: tuple[int, ...] = ()
    needs_token: bool = False
    #: The configs say what the layers hold; else their digests alone tell a wrong byte.
    names_diff_ids: bool = True
    faults: Mapping[tuple[int, str], tuple[Fault | None, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def images(self) -> tuple[FakeImage, ...]:
        """Return the plugins that are pulled."""
        chosen = (layers for layers in (self.layers, self.second) if layers)
        return tuple(_image(layers, self.names_diff_ids) for layers in chosen)


class ScriptedRegistry(FaultyRegistry):
    """Serves a schedule's plugins, with its faults first and well ever after."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule
        self._faults = {where: list(faults) for where, faults in schedule.faults.items()}
        #: Called with each request.
        self.on_step: Callable[[], object] = lambda: None

    def serve(self) -> None:
        """Put the plugins in place."""
        self.on("GET", LOOP, redirect(LOOP))
        self.on("HEAD", LOOP, redirect(LOOP))
        for number, image in enumerate(self._schedule.images):
            self._serve_image(number, image)

    def remote(self, number: int) -> str:
        """Return the reference of a plugin."""
        return f"{self.authority}/{PATHS[number]}:1"

    def heal(self) -> None:
        """Have no more faults."""
        self._faults.clear()

    def _serve_image(self, number: int, image: FakeImage) -> None:
        base = f"/v2/{PATHS[number]}"
        headers = {"Content-Type": image.media_type, "Docker-Content-Digest": image.digest}
        manifest = Resource(body=image.manifest, headers=headers)
        self._serve_one("HEAD", f"{base}/manifests/1", number, "resolve", manifest)
        self._serve_one("GET", f"{base}/manifests/1", number, "resolve", manifest)
        self._serve_one("GET", f"{base}/manifests/{image.digest}", number, "manifest", manifest)
        blobs = {"config": image.config, **{str(n): blob for n, blob in enumerate(image.layers)}}
        for name, body in blobs.items():
            blob = Resource(body=body, headers={"Content-Type": "application/octet-stream"})
            self._serve_one("GET", f"{base}/blobs/{digest_of(body)}", number, name, blob)
        token = Resource(body=json.dumps({"token": TOKEN}).encode(), headers={})
        self._serve_one("GET", f"/token{number}", number, "token", token)

    def _serve_one(self, method: str, path: str, number: int, name: str, good: Resource) -> None:
        async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
            self.on_step()
            if name != "token" and self._is_anonymous(asked):
                challenge = f'Bearer realm="{self.url}/token{number}",service="s"'
                await answer(401, WWW_Authenticate=challenge)(asked, writer)
                return
            left = self._faults.get((number, name), [])
            fault = left.pop(0) if left else None
            if fault is None:
                await answer_well(good, asked, writer)
            else:
                await answer_wrongly(fault, good, asked, writer)

        self.on(method, path, behave)

    def _is_anonymous(self, asked: Asked) -> bool:
        is_known = asked.header("authorization") == f"Bearer {TOKEN}"
        return self._schedule.needs_token and not is_known


@cache
def _image(layers: tuple[int, ...], names_diff_ids: bool) -> FakeImage:
    blobs = [_layer(number) for number in layers]
    diff_ids = [digest_of(tar(_files(number))) for number in layers] if names_diff_ids else []
    config = json.dumps({**CONFIG, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": _descriptor(config, media_types.DOCKER_PLUGIN_CONFIG),
            "layers": [
                _descriptor(blob, _TYPES[number % 3])
                for number, blob in zip(layers, blobs, strict=True)
            ],
        },
        indent=5,
    ).encode()
    return FakeImage(
        layers=tuple(blobs),
        config=config,
        manifest=manifest,
        media_type=media_types.OCI_MANIFEST,
        blobs={digest_of(blob): blob for blob in (*blobs, config, manifest)},
        files={name: body for number in layers for name, body in _files(number).items()},
    )


@cache
def _layer(number: int) -> bytes:
    archive = tar(_files(number))
    match number % 3:
        case 0:
            return archive
        case 1:
            return gzip.compress(archive, compresslevel=1)
        case _:
            return zstandard.compress(archive, 1)


@cache
def _files(number: int) -> dict[str, bytes]:
    size = 300 if number < LAYERS // 2 else 1_000_000
    noise = random.Random(number).randbytes(size)
    return {f"layer{number}/noise": noise, "last": str(number).encode()}


def _descriptor(blob: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(blob), "digest": digest_of(blob)}
