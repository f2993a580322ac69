"""A push's whole bad luck as one value, and a registry that takes pushes and has that luck."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from shared.oci.digest import Digest, digest_of
from tests.support.fault_schedule import PATHS, Event, Schedule, ScriptedRegistry
from tests.support.faulty_registry import Asked, Behaviour, answer
from tests.support.registry_faults import Fault, Resource, answer_wrongly

#: Where plugins are pushed to.
PUSHED: Final = "c/pushed"
_BASE: Final = f"/v2/{PUSHED}"
#: What a mishap can hit: the answers of a push, in its order.
ANSWERS: Final = ("token", "exists", "begin", "chunk", "progress", "end", "manifest")
#: Kinds of which no word says that the request was well received.
_SAY_NO: Final = frozenset(
    {"reset", "stall", "endless interim", "garbage", "status", "challenge", "redirect"}
)


@dataclass(frozen=True, slots=True)
class Mishap:
    """An answer that goes wrong, after the registry has done what it was asked, or before."""

    fault: Fault
    is_done: bool


@dataclass(frozen=True, slots=True)
class PushSchedule:
    """All that happens to one push; *mishaps* are by answer, attempt by attempt."""

    layers: tuple[int, ...]
    needs_token: bool = False
    #: The plugin came from the very registry, which takes blobs over from there.
    mounts: bool = False
    knows_chunks: bool = True
    #: Blobs that are there already: some of the plugin's, counted as its manifest names them.
    there: frozenset[int] = frozenset()
    mishaps: Mapping[str, tuple[Mishap | None, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


class PushRegistry(ScriptedRegistry):
    """Serves the plugin, and takes pushes of it; honest in what it keeps, if not in what it says.

    It keeps a blob only whole, and a manifest only with its blobs, as any registry does.
    """

    def __init__(self, schedule: PushSchedule) -> None:
        super().__init__(Schedule(layers=schedule.layers, needs_token=schedule.needs_token))
        self._pushes = schedule
        self._mishaps = {name: list(mishaps) for name, mishaps in schedule.mishaps.items()}
        self._image = Schedule(layers=schedule.layers).images[0]
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        blobs = (*self._image.layers, self._image.config)
        self.blobs |= {digest_of(blobs[at]): blobs[at] for at in schedule.there if at < len(blobs)}

    @property
    def target(self) -> str:
        """Return the reference to push to."""
        return f"{self.authority}/{PUSHED}:1"

    @property
    def source(self) -> str:
        """Return the reference to pull from: by another name of this host, nothing is mounted."""
        authority = self.authority
        if not self._pushes.mounts:
            authority = authority.replace("127.0.0.1", "localhost")
        return f"{authority}/{PATHS[0]}:1"

    def heal(self) -> None:
        """Have no more faults."""
        super().heal()
        self._mishaps.clear()

    def _next(self, asked: Asked) -> Behaviour:
        if not asked.path.startswith(_BASE):
            return super()._next(asked)

        async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
            self.on_step()
            if self._is_anonymous(asked):
                challenge = f'Bearer realm="{self.url}/token0",service="s"'
                await answer(401, WWW_Authenticate=challenge)(asked, writer)
                return
            await self._take(asked, writer)

        return behave

    async def _take(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        name = _name(asked)
        left = self._mishaps.get(name, [])
        mishap = left.pop(0) if left else None
        if mishap is None:
            await self._do(name, asked)(asked, writer)
            return
        is_told = name == "manifest" and mishap.fault.kind not in _SAY_NO
        honest = self._do(name, asked) if mishap.is_done or is_told else None
        # Where an answer says that a manifest was taken, it was: a client has no more than that.
        if is_told and honest is not None and not self.manifests:
            await honest(asked, writer)
            return
        body = Resource(body=b'{"so": "it is"}', headers={"Content-Type": "application/json"})
        await answer_wrongly(mishap.fault, body, asked, writer)

    def _do(self, name: str, asked: Asked) -> Behaviour:
        """Do what was asked and return the answer to it."""
        return {
            "exists": self._exists,
            "begin": self._begin,
            "chunk": self._chunk,
            "progress": self._progress,
            "end": self._end,
            "manifest": self._manifest,
        }[name](asked)

    def _exists(self, asked: Asked) -> Behaviour:
        body = self.blobs.get(asked.path.rpartition("/")[2])
        return answer(404) if body is None else answer(200, body)

    def _begin(self, asked: Asked) -> Behaviour:
        query = parse_qs(asked.query)
        if "digest" in query:
            return self._store(query["digest"][0], asked.body)
        mounted = query.get("mount", [""])[0]
        if mounted and query["from"] == [PATHS[0]]:
            self.blobs[mounted] = self._image.blobs[Digest(mounted)]
            return answer(201, Location=f"{_BASE}/blobs/{mounted}")
        upload = f"{_BASE}/blobs/uploads/{len(self._uploads)}"
        self._uploads[upload] = bytearray()
        return answer(202, Location=f"{upload}?state=0")

    def _chunk(self, asked: Asked) -> Behaviour:
        if not self._pushes.knows_chunks:
            return answer(405)
        upload = self._uploads.get(asked.path)
        if upload is None:
            return answer(404)
        start = int(asked.header("content-range").partition("-")[0])
        if start != len(upload):
            return answer(416, Location=asked.path, Range=f"0-{max(0, len(upload) - 1)}")
        upload += asked.body
        return self._progress(asked, status=202)

    def _progress(self, asked: Asked, *, status: int = 204) -> Behaviour:
        upload = self._uploads.get(asked.path)
        if upload is None:
            return answer(404)
        location = f"{asked.path}?state={len(upload)}"
        return answer(status, Location=location, Range=f"0-{max(0, len(upload) - 1)}")

    def _end(self, asked: Asked) -> Behaviour:
        upload = self._uploads.pop(asked.path, None)
        if upload is None:
            return answer(404)
        return self._store(parse_qs(asked.query)["digest"][0], bytes(upload) + asked.body)

    def _store(self, digest: str, body: bytes) -> Behaviour:
        if digest_of(body) != digest:
            return answer(400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}')
        self.blobs[digest] = body
        return answer(201, Location=f"{_BASE}/blobs/{digest}", Docker_Content_Digest=digest)

    def _manifest(self, asked: Asked) -> Behaviour:
        needed = {digest_of(blob) for blob in (*self._image.layers, self._image.config)}
        if not needed <= set(self.blobs):
            return answer(404, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "no"}]}')
        self.manifests[asked.path.rpartition("/")[2]] = asked.body
        return answer(201, Docker_Content_Digest=digest_of(asked.body))


def _name(asked: Asked) -> str:
    if "/manifests/" in asked.path:
        return "manifest"
    if "/uploads/" not in asked.path:
        return "exists"
    return {"POST": "begin", "PATCH": "chunk", "GET": "progress", "PUT": "end"}[asked.method]
