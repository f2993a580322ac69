"""What a registry holds, read and written without any program of ours or of Docker's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

#: What a client says that takes whatever there is.
ANY = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A repository at a registry that speaks plain HTTP."""

    #: ``host:port``
    authority: str
    path: str
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Return the name of a plugin that lies here."""
        return f"{self.authority}/{self.path}"

    def manifest(self, tag: str = "latest", accept: tuple[str, ...] = ANY) -> httpx.Response:
        """Return the registry's answer for a manifest."""
        answer = self._ask("GET", f"manifests/{tag}", headers={"Accept": ", ".join(accept)})
        assert answer.status_code == 200, answer.text
        return answer

    def digest(self, tag: str = "latest") -> str:
        """Return what the registry calls a manifest."""
        return self.manifest(tag).headers["Docker-Content-Digest"]

    def blob(self, digest: str) -> bytes:
        """Return a blob."""
        answer = self._ask("GET", f"blobs/{digest}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def put_manifest(self, manifest: dict[str, Any], tag: str = "latest") -> dict[str, Any]:
        """Store a manifest or an index and return its descriptor."""
        data = json.dumps(manifest).encode()
        media_type = manifest["mediaType"]
        answer = self._ask(
            "PUT", f"manifests/{tag}", content=data, headers={"Content-Type": media_type}
        )
        assert answer.status_code == 201, answer.text
        return described(data, media_type)

    def put_blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Store a blob and return its descriptor."""
        descriptor = described(data, media_type)
        upload = self._ask("POST", "blobs/uploads/").headers["Location"]
        answer = httpx.put(
            httpx.URL(upload).copy_merge_params({"digest": descriptor["digest"]}),
            content=data,
            auth=self.auth,
        )
        assert answer.status_code == 201, answer.text
        return descriptor

    def _ask(self, method: str, what: str, **more: Any) -> httpx.Response:
        url = f"http://{self.authority}/v2/{self.path}/{what}"
        return httpx.request(method, url, auth=self.auth, **more)


def described(data: bytes, media_type: str) -> dict[str, Any]:
    """Return the descriptor of *data*."""
    digest = f"sha256:{sha256(data).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(data)}
